/** Publishers to Kafka, for the usual clients. Imports none of them. */
export { kafkaPublisher, type KafkaJsProducer } from './publishers/kafka/kafka-publisher.js';
export {
  platformaticKafkaPublisher,
  type PlatformaticProducer,
} from './publishers/kafka/platformatic-kafka-publisher.js';
export type { KafkaBytes, KafkaPublisherOptions } from './publishers/kafka/kafka-options.js';
export type { TextOf } from './publishers/by-message.js';
