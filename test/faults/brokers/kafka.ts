import { startKafka } from '../../../dev/brokers/kafka.js';
import { kafkaJars } from '../../../dev/brokers/kafka-jars.js';
import { kafkaPublisher } from '../../../src/kafka.js';
import { kafkaClient, KafkaTopic } from '../../support/kafka-topic.js';
import type { BrokerKind } from './broker.js';

export const kafka: BrokerKind = {
  title: 'Kafka',
  resolve: () => kafkaJars(),
  start: async () => {
    const { node, bootstrap, stop } = await startKafka();
    const topic = new KafkaTopic(bootstrap);
    await topic.create();
    return {
      node,
      place: { broker: 'kafka', url: bootstrap, topic: topic.name },
      records: async () =>
        (await topic.records()).map(({ key, headers }) => ({ position: Number(headers['position']), key })),
      stop,
    };
  },
  connect: async ({ url, topic }) => {
    const producer = kafkaClient(url).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    return { publisher: kafkaPublisher(producer, { topic }), close: () => producer.disconnect() };
  },
};
