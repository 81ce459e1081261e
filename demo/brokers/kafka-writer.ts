import { kafkaPublisher } from 'service-outbox/kafka';
import type { TopicWriter } from './broker.js';
import { kafkaClient } from './kafka-client.js';

/** The library's publisher; the value has the position too, which the closing table compares. */
export async function openKafkaWriter(brokers: readonly string[], topic: string): Promise<TopicWriter> {
  const producer = kafkaClient(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const publisher = kafkaPublisher(producer, {
    topic,
    value: ({ key: _key, headers: _headers, ...message }) => JSON.stringify(message),
  });
  return { ...publisher, close: () => producer.disconnect() };
}
