import { Unavailable } from '../../verdict.js';

/** Settings of librdkafka by name. */
type LibrdkafkaConfig = Readonly<Record<string, string | number | boolean | undefined>>;

/** What @confluentinc/kafka-javascript's producer has beside kafkajs's: https://github.com/confluentinc/confluent-kafka-javascript */
interface ConfluentProducer {
  _getInternalClient(): { readonly globalConfig?: LibrdkafkaConfig } | null;
  flush(options: { timeout: number }): Promise<void>;
}

/** How long one look at what is under way lasts, in milliseconds; there are as many as it takes. */
const lookMs = 5_000;
/** ERR__TIMED_OUT of librdkafka: still under way. */
const timedOut = -185;
const checked = new WeakSet<object>();

export function isConfluent(producer: object): producer is ConfluentProducer {
  const { _getInternalClient, flush } = producer as Partial<ConfluentProducer>;
  return typeof _getInternalClient === 'function' && typeof flush === 'function';
}

/**
 * Refuses settings with which acknowledged messages can be lost, or be stored out of order. They are known once the
 * producer is connected.
 *
 * @throws Unavailable: no message is to blame, and nothing is published until the service has another producer
 */
export function checkConfluentSettings(producer: ConfluentProducer): void {
  if (checked.has(producer)) return;
  // There is no other way to the settings.
  const config = producer._getInternalClient()?.globalConfig;
  if (config === undefined) return;
  const problem = confluentProblem(config);
  if (problem !== undefined) throw new Unavailable(problem);
  checked.add(producer);
}

/** What is wrong with librdkafka's settings, if anything: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md */
export function confluentProblem(config: LibrdkafkaConfig): string | undefined {
  const acks = config['acks'] ?? config['request.required.acks'] ?? -1;
  if (!['-1', 'all'].includes(String(acks)))
    return `the Kafka producer is configured with acks ${String(acks)}: a message that one broker has is lost with it; leave acks out, or set it to -1, in the producer's configuration`;
  const idempotent = String(config['enable.idempotence'] ?? false) === 'true';
  const inFlight = config['max.in.flight'] ?? config['max.in.flight.requests.per.connection'];
  if (!idempotent && String(inFlight) !== '1')
    return "the Kafka producer is neither idempotent nor limited to one request in flight, so its own retries can store messages out of order: set idempotent: true (enable.idempotence) in the producer's configuration";
  return undefined;
}

/** Resolves when nothing that was sent is under way any more: each message has its acknowledgement, or has failed. */
export async function untilNothingIsUnderWay(producer: ConfluentProducer): Promise<void> {
  for (;;) {
    try {
      return await producer.flush({ timeout: lookMs });
    } catch (error) {
      // Whatever else it is, the producer was closed.
      if ((error as { code?: unknown }).code !== timedOut) return;
    }
  }
}
