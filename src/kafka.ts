/** Publishers to Kafka, for the usual clients. Imports none of them. */
export { kafkaPublisher, type KafkaJsProducer } from './publishers/kafka/kafka-publisher.js';
export {
  platformaticKafkaPublisher,
  type PlatformaticProducer,
} from './publishers/kafka/platformatic-kafka-publisher.js';
export type { KafkaPublisherOptions } from './publishers/kafka/kafka-options.js';
export type { KafkaBytes } from './publishers/kafka/kafka-record.js';
export type { TextOf } from './publishers/by-message.js';
