/** RabbitMQ, by a client that the service makes: amqplib or rabbitmq-client. */
export { rabbitmqPublisher, type RabbitmqClient } from './publishers/rabbitmq/rabbitmq-publisher.js';
export type { RabbitmqPublisherOptions } from './publishers/rabbitmq/rabbitmq-options.js';
export type { TextOf } from './publishers/by-message.js';
