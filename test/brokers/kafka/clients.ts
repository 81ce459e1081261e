import { createRequire } from 'node:module';

import { Producer as PlatformaticProducer } from '@platformatic/kafka';

import {
  kafkaPublisher,
  platformaticKafkaPublisher,
  type KafkaJsProducer,
  type KafkaPublisherOptions,
} from '../../../src/kafka.js';
import type { OutboxMessage, Publisher } from '../../../src/index.js';
import { kafkaClient } from '../../support/kafka-topic.js';

/** A publisher with a client of its own. */
interface ConnectedPublisher {
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
    bootstrapBrokers: bootstrap.split(','),
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

/** As much of the client as is used: its own declarations are there only when it is installed. */
interface ConfluentModule {
  readonly KafkaJS: {
    readonly logLevel: { readonly NOTHING: number };
    readonly Kafka: new (config: object) => {
      producer(config: object): KafkaJsProducer & {
        connect(): Promise<void>;
        disconnect(): Promise<void>;
        send(batch: { topic: string; messages: { value: string }[] }): Promise<unknown>;
      };
    };
  };
}

/** Installed on its own, see package.json of that folder: it is compiled by that. */
const ownFolder = createRequire(new URL('confluent-client/package.json', import.meta.url));

function confluentClient(): ConfluentModule | undefined {
  try {
    return ownFolder('@confluentinc/kafka-javascript') as ConfluentModule;
  } catch {
    console.warn('SKIPPED: Kafka with @confluentinc/kafka-javascript. To have it: npm run install:confluent');
    return undefined;
  }
}

const confluentWith =
  ({ KafkaJS: { Kafka, logLevel } }: ConfluentModule): Connect =>
  async (bootstrap, options, requestTimeout = 30_000) => {
    const kafkaJS = { brokers: bootstrap.split(','), requestTimeout, logLevel: logLevel.NOTHING };
    const producer = new Kafka({ kafkaJS }).producer({ kafkaJS: { idempotent: true } });
    await producer.connect();
    return {
      publisher: kafkaPublisher(producer, options),
      clientWorks: (topic) => producer.send({ topic, messages: [{ value: 'works' }] }).then(Boolean),
      close: () => producer.disconnect(),
    };
  };

const confluent = confluentClient();

export const clients: readonly [name: string, connect: Connect][] = [
  ['kafkajs', kafkajs],
  ['@platformatic/kafka', platformatic],
  ...(confluent === undefined
    ? []
    : [['@confluentinc/kafka-javascript', confluentWith(confluent)] satisfies [string, Connect]]),
];
