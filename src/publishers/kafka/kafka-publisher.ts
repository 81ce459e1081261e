import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { OutboxError, shown } from '../../errors.js';
import { PermanentError } from '../../verdict.js';
import { checkConfluentSettings, isConfluent, untilNothingIsUnderWay } from './confluent-producer.js';
import type { KafkaPublisherOptions } from './kafka-options.js';
import type { KafkaRecord } from './kafka-record.js';
import { publisherFor } from './publisher-for.js';

/** What is used of a producer of kafkajs, or of the KafkaJS API of @confluentinc/kafka-javascript. */
export interface KafkaJsProducer {
  sendBatch(batch: {
    acks?: number;
    topicMessages: {
      topic: string;
      messages: {
        key: string | Buffer | null;
        value: string | Buffer | null;
        headers: Readonly<Record<string, string>>;
      }[];
    }[];
  }): Promise<unknown>;
}

const allReplicas = -1;

/**
 * Publishes to Kafka with a connected producer of kafkajs or of @confluentinc/kafka-javascript (its KafkaJS API), which is
 * yours: it is never closed here. One awaited `sendBatch` for a batch, with acks of all replicas, and never two at once on
 * one producer.
 *
 * - kafkajs: leave `requestTimeout` at 30 s or more; `idempotent` changes nothing for the better.
 * - confluent: set `idempotent: true` in the producer's configuration, or `maxInFlightRequests: 1`: without either, its
 *   own retries reorder messages. Checked at the first publish, as is that `acks` are those of all replicas.
 *
 * @throws `INVALID_OPTION`
 */
export function kafkaPublisher<M extends OutboxMessage>(
  producer: KafkaJsProducer,
  options: KafkaPublisherOptions<M>,
): Publisher<M> {
  const given: unknown = producer;
  if (typeof (given as Partial<KafkaJsProducer> | null | undefined)?.sendBatch !== 'function')
    throw new OutboxError(
      'INVALID_OPTION',
      `kafkaPublisher needs a connected producer of kafkajs, or of the KafkaJS API of @confluentinc/kafka-javascript: got ${shown(given)}; for @platformatic/kafka there is platformaticKafkaPublisher`,
    );
  const confluent = isConfluent(producer);
  return publisherFor(producer, options, {
    checkRecord: confluent ? refuseEmptyValue : undefined,
    send: async (records) => {
      const topicMessages = byTopic(records);
      if (!confluent) return void (await producer.sendBatch({ acks: allReplicas, topicMessages }));
      checkConfluentSettings(producer);
      try {
        await producer.sendBatch({ topicMessages });
      } catch (error) {
        // The others of the batch are under way still, and what is sent next must not overtake them.
        await untilNothingIsUnderWay(producer);
        throw error;
      }
    },
  });
}

type TopicMessages = Parameters<KafkaJsProducer['sendBatch']>[0]['topicMessages'];

/** In the order of the first record of each topic; the order within a topic is kept. */
function byTopic(records: readonly KafkaRecord[]): TopicMessages {
  const topics = new Map<string, TopicMessages[number]>();
  for (const { topic, key, value, headers } of records) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    topics.set(topic, entry);
    // Clients change these objects, though not the headers.
    entry.messages.push({ key, value, headers });
  }
  return [...topics.values()];
}

/** confluent 1.10 stores an empty value as null, which is a tombstone. */
function refuseEmptyValue({ value }: KafkaRecord): void {
  if (value !== null && value.length === 0)
    throw new PermanentError(
      'an empty value would be stored as a tombstone by @confluentinc/kafka-javascript: give null where a tombstone is meant, or use kafkajs',
    );
}
