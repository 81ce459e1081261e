import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { OutboxError, shown } from '../../errors.js';
import type { KafkaBytes, KafkaPublisherOptions } from './kafka-options.js';
import { publisherFor } from './publisher-for.js';

/** What is used of a Producer of @platformatic/kafka, with no serializers or with the ones for strings. */
export interface PlatformaticProducer {
  send(options: { messages: never[]; acks: number; idempotent: boolean }): Promise<unknown>;
}

const allReplicas = -1;

/**
 * Publishes to Kafka with a Producer of @platformatic/kafka, which is yours: it is never closed here. One awaited `send` for
 * a batch, with acks of all replicas, and never two at once on one producer.
 *
 * Sends are never idempotent, whatever the producer's own setting: after a request that timed out, an idempotent one of
 * version 1.35 was seen to acknowledge a message that the broker had dropped. Leave `requestTimeout` at 30 s or more.
 *
 * @throws `INVALID_OPTION`
 */
export function platformaticKafkaPublisher<M extends OutboxMessage>(
  producer: PlatformaticProducer,
  options: KafkaPublisherOptions<M>,
): Publisher<M> {
  const given: unknown = producer;
  const { send, sendBatch } = (given ?? {}) as Partial<Record<'send' | 'sendBatch', unknown>>;
  if (typeof send !== 'function' || typeof sendBatch === 'function')
    throw new OutboxError(
      'INVALID_OPTION',
      `platformaticKafkaPublisher needs a Producer of @platformatic/kafka: got ${shown(given)}; for kafkajs and @confluentinc/kafka-javascript there is kafkaPublisher`,
    );
  return publisherFor(producer, options, {
    checkRecord: undefined,
    send: async (records) => {
      const messages = records.map(({ topic, key, value, headers }) => ({
        topic,
        key: toBuffer(key),
        value: toBuffer(value),
        headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
      }));
      await producer.send({ messages: messages as never[], acks: allReplicas, idempotent: false });
    },
  });
}

/** The producer's serializers take bytes: without any, nothing else; those for strings, too. */
function toBuffer(value: KafkaBytes): Buffer | undefined {
  if (value === null) return undefined;
  return typeof value === 'string' ? Buffer.from(value) : value;
}
