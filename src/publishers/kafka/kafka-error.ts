/** What an error of a Kafka client says. */
export type KafkaErrorKind =
  /** One of the records sent is refused for what it is; the whole record batch went with it. */
  | 'record refused'
  /** The topic is missing, or the producer may not write to it: no message's fault, and nothing but an operator helps. */
  | 'topic refused'
  /** Nothing is known of what was sent: brokers do not answer, or not in time. */
  | 'unavailable'
  | 'unknown';

/** Error codes of the protocol: https://kafka.apache.org/protocol#protocol_error_codes */
const byCode: Readonly<Record<number, KafkaErrorKind>> = {
  3: 'topic refused', // UNKNOWN_TOPIC_OR_PARTITION
  10: 'record refused', // MESSAGE_TOO_LARGE
  17: 'topic refused', // INVALID_TOPIC_EXCEPTION
  18: 'record refused', // RECORD_LIST_TOO_LARGE
  29: 'topic refused', // TOPIC_AUTHORIZATION_FAILED
  31: 'topic refused', // CLUSTER_AUTHORIZATION_FAILED
  32: 'record refused', // INVALID_TIMESTAMP
  58: 'topic refused', // SASL_AUTHENTICATION_FAILED
  87: 'record refused', // INVALID_RECORD
};

/** The same by name, as kafkajs (`type`) and @platformatic/kafka (`apiId`) have it. */
const byName: Readonly<Record<string, KafkaErrorKind>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'topic refused',
  MESSAGE_TOO_LARGE: 'record refused',
  INVALID_TOPIC_EXCEPTION: 'topic refused',
  RECORD_LIST_TOO_LARGE: 'record refused',
  TOPIC_AUTHORIZATION_FAILED: 'topic refused',
  CLUSTER_AUTHORIZATION_FAILED: 'topic refused',
  INVALID_TIMESTAMP: 'record refused',
  SASL_AUTHENTICATION_FAILED: 'topic refused',
  INVALID_RECORD: 'record refused',
  // What the clients call their own refusals.
  ERR_MSG_SIZE_TOO_LARGE: 'record refused',
  ERR__UNKNOWN_TOPIC: 'topic refused',
  PLT_KFK_AUTHENTICATION: 'topic refused',
  PLT_KFK_NETWORK: 'unavailable',
  PLT_KFK_TIMEOUT: 'unavailable',
  KafkaJSSASLAuthenticationError: 'topic refused',
  KafkaJSConnectionError: 'unavailable',
  KafkaJSConnectionClosedError: 'unavailable',
  KafkaJSRequestTimeoutError: 'unavailable',
  KafkaJSNumberOfRetriesExceeded: 'unavailable',
  KafkaJSBrokerNotFound: 'unavailable',
  KafkaJSMetadataNotLoaded: 'unavailable',
};

/** librdkafka's own codes, -199 to -100, are about the client and the way to the brokers; this one is a record's. */
const unknownTopicLocally = -188;
const networkCodes = /^(ECONN|EPIPE|EHOST|ENET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/;
/** In this order: what is said of a record says more than what is said of the way to the brokers. */
const tellingFirst: readonly KafkaErrorKind[] = ['record refused', 'topic refused', 'unavailable', 'unknown'];

/** @platformatic/kafka has a word of its own for a topic that is missing. */
const unknownTopicText = /^Unknown topic /;

interface ErrorShape {
  readonly message?: unknown;
  readonly name?: unknown;
  readonly type?: unknown;
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly retriable?: unknown;
  readonly canRetry?: unknown;
  readonly cause?: unknown;
  readonly originalError?: unknown;
  readonly errors?: unknown;
}

/**
 * Reads an error of kafkajs, @confluentinc/kafka-javascript or @platformatic/kafka, by code and not by class: copies of a
 * client have classes of their own, and they wrap each other's errors.
 */
export function kafkaErrorKind(error: unknown): KafkaErrorKind {
  const kinds = new Set(chainOf(error).map(kindOf));
  return tellingFirst.find((kind) => kinds.has(kind)) ?? 'unknown';
}

/** The error, what caused it, and the errors it is made of; each once. */
function chainOf(error: unknown, seen = new Set<object>()): ErrorShape[] {
  if (typeof error !== 'object' || error === null || seen.has(error) || seen.size > 50) return [];
  seen.add(error);
  const shape = error as ErrorShape;
  const parts = Array.isArray(shape.errors) ? (shape.errors as unknown[]) : [];
  return [shape, ...[shape.cause, shape.originalError, ...parts].flatMap((inner) => chainOf(inner, seen))];
}

function kindOf({ name, type, apiId, code, message, retriable, canRetry }: ErrorShape): KafkaErrorKind {
  if (code === 'PLT_KFK_USER' && typeof message === 'string' && unknownTopicText.test(message)) return 'topic refused';
  for (const word of [type, apiId, code, name]) {
    const known = typeof word === 'string' && Object.hasOwn(byName, word) ? byName[word] : undefined;
    if (known !== undefined) return known;
  }
  if (typeof code === 'number') {
    if (code === unknownTopicLocally) return 'topic refused';
    if (code < 0) return 'unavailable';
    if (byCode[code] !== undefined) return byCode[code];
  }
  if (typeof code === 'string' && networkCodes.test(code)) return 'unavailable';
  return retriable === true || canRetry === true ? 'unavailable' : 'unknown';
}
