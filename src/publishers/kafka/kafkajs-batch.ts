import type { KafkaRecord } from './kafka-record.js';

/** A record as kafkajs takes it, and the KafkaJS API of @confluentinc/kafka-javascript. */
export interface KafkaJsMessage {
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers: Readonly<Record<string, string>>;
}

export interface TopicMessages {
  topic: string;
  messages: KafkaJsMessage[];
}

/** What is used of a producer of kafkajs, or of the KafkaJS API of @confluentinc/kafka-javascript. */
export interface KafkaJsProducer {
  sendBatch(batch: { acks?: number; topicMessages: TopicMessages[] }): Promise<unknown>;
  isIdempotent?(): boolean;
}

/** In the order of the first record of each topic; the order within a topic is kept. @returns also which message is of which record */
export function byTopic(records: readonly KafkaRecord[]): {
  topics: TopicMessages[];
  messageOf: ReadonlyMap<KafkaRecord, KafkaJsMessage>;
} {
  const topics = new Map<string, TopicMessages>();
  const messageOf = new Map<KafkaRecord, KafkaJsMessage>();
  for (const record of records) {
    const { topic, key, value, headers } = record;
    const entry = topics.get(topic) ?? { topic, messages: [] };
    topics.set(topic, entry);
    // Clients change these objects, though not the headers.
    const message = { key, value, headers };
    entry.messages.push(message);
    messageOf.set(record, message);
  }
  return { topics: [...topics.values()], messageOf };
}
