import { Unavailable } from '../../verdict.js';
import type { KafkaRecord } from './kafka-record.js';
import { byTopic, type KafkaJsProducer } from './kafkajs-batch.js';
import { watchTries } from './kafkajs-tries.js';

const allReplicas = -1;
/** How often what was not sent is sent again: each time the leader of a partition has changed meanwhile. */
const mostAgain = 5;
const warned = new WeakSet<object>();

/** Sends the records in one request, and those that kafkajs left out in further ones; resolves when all are acknowledged. */
export async function sendWithKafkajs(producer: KafkaJsProducer, records: readonly KafkaRecord[]): Promise<void> {
  let left = records;
  for (let again = 0; again <= mostAgain; again += 1) {
    const { topics, messageOf } = byTopic(left);
    const { topicMessages, unsent } = watchTries(topics);
    const missing = unsent(await producer.sendBatch({ acks: allReplicas, topicMessages }));
    if (missing === undefined) return warnOnce(producer);
    left = left.filter((record) => missing.has(messageOf.get(record)));
    if (left.length === 0) return;
  }
  throw new Unavailable(
    'the leaders of Kafka partitions change again and again; what is not acknowledged is sent again',
  );
}

function warnOnce(producer: KafkaJsProducer): void {
  if (warned.has(producer)) return;
  warned.add(producer);
  process.emitWarning(
    'something between kafkaPublisher and the producer of kafkajs copies the messages, or keeps the result to itself: what kafkajs loses when the leader of a partition changes while it tries again (tulios/kafkajs#1303) can then not be noticed; pass the producer as kafkajs made it, or make it with retry: { retries: 0 }',
    { code: 'SERVICE_OUTBOX_KAFKAJS' },
  );
}
