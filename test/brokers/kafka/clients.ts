import { Producer as PlatformaticProducer } from '@platformatic/kafka';

import { kafkaPublisher, platformaticKafkaPublisher, type KafkaPublisherOptions } from '../../../src/kafka.js';
import type { OutboxMessage, Publisher } from '../../../src/index.js';
import { kafkaClient } from './kafka-topic.js';

/** A publisher with a client of its own. */
export interface ConnectedPublisher {
  readonly publisher: Publisher<OutboxMessage>;
  /** Whether the client still takes messages by itself. */
  clientWorks(topic: string): Promise<boolean>;
  close(): Promise<void>;
}

export type Connect = (
  bootstrap: string,
  options: KafkaPublisherOptions<OutboxMessage>,
  requestTimeout?: number,
) => Promise<ConnectedPublisher>;

const kafkajs: Connect = async (bootstrap, options, requestTimeout) => {
  const kafka = kafkaClient(bootstrap, requestTimeout === undefined ? {} : { requestTimeout });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return {
    publisher: kafkaPublisher(producer, options),
    clientWorks: (topic) => producer.send({ topic, messages: [{ value: 'works' }] }).then(Boolean),
    close: () => producer.disconnect(),
  };
};

const platformatic: Connect = async (bootstrap, options, requestTimeout = 30_000) => {
  const producer = new PlatformaticProducer({
    clientId: 'service-outbox-test',
    bootstrapBrokers: [bootstrap],
    requestTimeout,
    connectTimeout: 3_000,
  });
  return {
    publisher: platformaticKafkaPublisher(producer, options),
    clientWorks: (topic) =>
      producer.send({ messages: [{ topic, value: Buffer.from('works') }], acks: -1 }).then(Boolean),
    close: async () => producer.close(true),
  };
};

export const clients: readonly [name: string, connect: Connect][] = [
  ['kafkajs', kafkajs],
  ['@platformatic/kafka', platformatic],
];
