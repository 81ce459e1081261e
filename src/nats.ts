/** NATS JetStream, by a client that the service makes: @nats-io/jetstream or nats. */
export { natsPublisher } from './publishers/nats/nats-publisher.js';
export type { NatsJetStreamClient } from './publishers/nats/nats-client.js';
export type { NatsPublisherOptions } from './publishers/nats/nats-options.js';
export type { TextOf } from './publishers/by-message.js';
