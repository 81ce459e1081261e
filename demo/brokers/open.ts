import type { Topic, TopicAddress, TopicWriter } from './broker.js';
import { fileTopic } from './file-topic.js';
import { openFileWriter } from './file-writer.js';
import { kafkaTopic } from './kafka-topic.js';
import { openKafkaWriter } from './kafka-writer.js';

/** In Kafka where brokers are given, else in a file. */
export function topicIn(kafka: readonly string[] | undefined): Topic {
  return kafka === undefined ? fileTopic() : kafkaTopic(kafka);
}

export function openWriter(address: TopicAddress): Promise<TopicWriter> {
  return address.kind === 'file' ? openFileWriter(address.path) : openKafkaWriter(address.brokers, address.topic);
}
