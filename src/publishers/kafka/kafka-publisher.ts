import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { OutboxError, shown } from '../../errors.js';
import { PermanentError } from '../../verdict.js';
import { checkConfluentSettings, isConfluent, untilNothingIsUnderWay } from './confluent-producer.js';
import type { KafkaPublisherOptions } from './kafka-options.js';
import { byTopic, type KafkaJsProducer } from './kafkajs-batch.js';
import type { KafkaRecord } from './kafka-record.js';
import { refuseIdempotent, sendWithKafkajs } from './kafkajs-send.js';
import { publisherFor } from './publisher-for.js';

/**
 * Publishes to Kafka with a connected producer of kafkajs or of @confluentinc/kafka-javascript (its KafkaJS API), which is
 * yours: it is never closed here. One awaited `sendBatch` for a batch, and another one for what kafkajs left out of it, with
 * acks of all replicas, and never two at once on one producer.
 *
 * - kafkajs: leave `requestTimeout` at 30 s or more. An `idempotent` producer is refused, since it can lose messages. What
 *   it acknowledges without having sent it, when the leader of a partition changes (tulios/kafkajs#1303), is noticed and
 *   sent again.
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
  if (!confluent) refuseIdempotent(producer);
  return publisherFor(producer, options, {
    checkRecord: confluent ? refuseEmptyValue : undefined,
    send: async (records, signal) => {
      if (!confluent) return sendWithKafkajs(producer, records, signal);
      checkConfluentSettings(producer);
      try {
        await producer.sendBatch({ topicMessages: byTopic(records).topics });
      } catch (error) {
        // The others of the batch are under way still, and what is sent next must not overtake them.
        await untilNothingIsUnderWay(producer);
        throw error;
      }
    },
  });
}

/** confluent 1.10 stores an empty value as null, which is a tombstone. */
function refuseEmptyValue({ value }: KafkaRecord): void {
  if (value !== null && value.length === 0)
    throw new PermanentError(
      'an empty value would be stored as a tombstone by @confluentinc/kafka-javascript: give null where a tombstone is meant, or use kafkajs',
    );
}
