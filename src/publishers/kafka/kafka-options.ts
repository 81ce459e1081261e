import type { ContentMode } from '../../cloudevents/cloud-event.js';
import { checkCloudEventOptions, type CloudEventOptions } from '../../cloudevents/cloud-event-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import { shown } from '../../errors.js';
import { checkKnown, checkWholeNumbers, checkWord, invalidOption } from '../../internal/check-options.js';
import { checkFunctionsOf, checkTextOf, type TextOf } from '../by-message.js';

/** Bytes, or text to be encoded as UTF-8; null: none. */
export type KafkaBytes = string | Buffer | null;

/** What becomes of a message in Kafka. */
export interface KafkaPublisherOptions<M extends OutboxMessage> {
  /** Where a message goes: a topic, or a function that gives one for each message. */
  readonly topic: TextOf<M>;
  /** What the partition is chosen by: records of one key are kept in order. @defaultValue the message's key, else its id */
  readonly key?: (message: Delivered<M>) => KafkaBytes;
  /**
   * What is stored; null is a tombstone. @defaultValue JSON of the message's data: a Map is an object, a bigint or Decimal128
   * a string of its digits, bytes are base64
   */
  readonly value?: (message: Delivered<M>) => KafkaBytes;
  /**
   * Further headers, beside the message's own and `id`, `type`, `position` and `created`, which none of them can replace.
   * Those with the value undefined are left out. @defaultValue none
   */
  readonly headers?: (message: Delivered<M>) => Readonly<Record<string, string | undefined>>;
  /**
   * How a message looks: `"plain"`: headers as above. `"debezium"`: as the outbox event router of Debezium lays it out, with
   * `eventType` in the place of the header `type`. `"cloudevents"`: as CloudEvents 1.0 in the binding for Kafka, which has
   * the metadata its own way; see `cloudEvents`. @defaultValue `"plain"`
   */
  readonly format?: 'plain' | 'debezium' | 'cloudevents';
  /** With `format: "cloudevents"`, and only with it: `source` is required there, see `service-outbox/cloudevents`. */
  readonly cloudEvents?: CloudEventOptions<M> & {
    /** Attributes as headers, or everything in the value as JSON. @defaultValue `"binary"` */
    readonly mode?: ContentMode;
  };
  /**
   * Most bytes of one request, from which on a batch is sent in several, one after another; a larger message goes alone.
   * 1,024 to 1,073,741,824. Half or less of the topic's `max.message.bytes` (default 1 MiB), which counts for a whole record
   * batch. @defaultValue `524288`
   */
  readonly maxRequestBytes?: number;
}

const known: readonly (keyof KafkaPublisherOptions<OutboxMessage>)[] = [
  'topic',
  'key',
  'value',
  'headers',
  'format',
  'cloudEvents',
  'maxRequestBytes',
];

export const kafkaDefaults = { format: 'plain', maxRequestBytes: 512 * 1024 } as const;

/** @throws `INVALID_OPTION` */
export function checkKafkaOptions(options: unknown): void {
  checkKnown(options, known);
  const { topic, format, cloudEvents, value } = options as Record<string, unknown>;
  checkTextOf('topic', topic, true);
  checkWord('format', format, ['plain', 'debezium', 'cloudevents']);
  if ((format === 'cloudevents') !== (cloudEvents !== undefined))
    throw invalidOption(
      'cloudEvents',
      'goes with format: "cloudevents", and has the source',
      `got format ${shown(format)}`,
    );
  if (cloudEvents !== undefined) {
    checkKnown(cloudEvents, ['source', 'subject', 'extensions', 'mode'], 'cloudEvents.');
    const { mode, ...event } = cloudEvents as Record<string, unknown>;
    checkWord('cloudEvents.mode', mode, ['binary', 'structured']);
    checkCloudEventOptions(event);
    if (value !== undefined)
      throw invalidOption(
        'value',
        'is what format: "cloudevents" makes of the data',
        'leave it out, or choose another format',
      );
  }
  checkFunctionsOf(options, ['key', 'value', 'headers']);
  checkWholeNumbers(options, { maxRequestBytes: [1024, 1024 ** 3] });
}
