/** Publishers to Kafka, for the usual clients. Imports none of them. */
export { kafkaPublisher } from './publishers/kafka/kafka-publisher.js';
export type { KafkaJsProducer } from './publishers/kafka/kafkajs-batch.js';
export {
  platformaticKafkaPublisher,
  type PlatformaticProducer,
} from './publishers/kafka/platformatic-kafka-publisher.js';
export type { KafkaBytes, KafkaPublisherOptions } from './publishers/kafka/kafka-options.js';
export type { TextOf } from './publishers/by-message.js';
