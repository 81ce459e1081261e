import { toCloudEvent } from '../../cloudevents/to-cloud-event.js';
import { toKafka } from '../../cloudevents/kafka-binding.js';
import { defined } from '../../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import { shown } from '../../errors.js';
import { PermanentError } from '../../verdict.js';
import { textFor } from '../by-message.js';
import { messageHeaders } from '../message-headers.js';
import { toJson } from '../to-json.js';
import type { KafkaBytes, KafkaPublisherOptions } from './kafka-options.js';

/** One record as the clients take it. */
export interface KafkaRecord {
  readonly topic: string;
  readonly key: KafkaBytes;
  readonly value: KafkaBytes;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a record takes beside its texts, at most: lengths, offset, timestamp. https://kafka.apache.org/documentation/#record */
const framingBytes = 40;

/** The record of a message, by the options. @throws PermanentError where an option gives something that is no such value */
export function kafkaRecord<M extends OutboxMessage>(
  message: Delivered<M>,
  options: KafkaPublisherOptions<M>,
): KafkaRecord {
  const { topic, key, value, headers } = options;
  const more = headers?.(message) ?? {};
  const formatted = formatOf(message, options, more);
  return {
    topic: textFor('topic', topic, message),
    key: key === undefined ? (message.key ?? message.id) : checked('key', key(message)),
    value: value === undefined ? formatted.value : checked('value', value(message)),
    headers: formatted.headers,
  };
}

/** The default value, and the headers. */
function formatOf<M extends OutboxMessage>(
  message: Delivered<M>,
  { format = 'plain', cloudEvents }: KafkaPublisherOptions<M>,
  more: Readonly<Record<string, string | undefined>>,
): Pick<KafkaRecord, 'headers'> & { value: string } {
  if (cloudEvents !== undefined) {
    const { mode, ...event } = cloudEvents;
    const { headers, value } = toKafka(toCloudEvent(message, event), mode);
    return { value, headers: { ...(defined(more) as Record<string, string>), ...headers } };
  }
  const value = toJson(message.data);
  if (format === 'plain') return { value, headers: messageHeaders(message, more) };
  // https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
  const { type, ...headers } = messageHeaders(message, more);
  return { value, headers: { ...headers, eventType: type as string } };
}

function checked(option: string, given: unknown): KafkaBytes {
  if (typeof given === 'string' || given === null || Buffer.isBuffer(given)) return given;
  throw new PermanentError(`option ${option} must give a text, a Buffer or null for each message: got ${shown(given)}`);
}

/** At most how many bytes a record takes in a record batch, before compression. Headers are only estimated: no UTF-16 unit takes more than 3. */
export function recordBytes({ key, value, headers }: KafkaRecord): number {
  let bytes = framingBytes + bytesOf(key) + bytesOf(value);
  for (const name in headers) bytes += 3 * (name.length + (headers[name] as string).length) + 4;
  return bytes;
}

function bytesOf(value: KafkaBytes): number {
  if (value === null) return 0;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}
