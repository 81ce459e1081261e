import type { Message } from 'kafkajs';
import type { Delivered, OutboxMessage } from 'service-outbox';
import type { TopicWriter } from './broker.js';
import { kafkaClient } from './kafka-client.js';

/** Half of what a broker takes in one request by default. */
const MOST_BYTES = 512 * 1024;
const ALL_REPLICAS = -1;

/** Awaits each send before the next: two at once on one producer can be stored the wrong way round. */
export async function openKafkaWriter(brokers: readonly string[], topic: string): Promise<TopicWriter> {
  const producer = kafkaClient(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return {
    async publish(messages) {
      for (const part of portions(messages.map(toKafka)))
        await producer.send({ topic, messages: part, acks: ALL_REPLICAS });
    },
    close: () => producer.disconnect(),
  };
}

function toKafka({ key, headers, ...message }: Delivered<OutboxMessage>): Message {
  return { key: key ?? null, value: JSON.stringify(message), headers };
}

function* portions(messages: readonly Message[]): Generator<Message[]> {
  let portion: Message[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.value ?? '');
    if (portion.length > 0 && bytes + size > MOST_BYTES) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(message);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
