import { rabbitmqServer, startRabbitmq } from '../../../dev/brokers/rabbitmq.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import { rabbitmqPublisher } from '../../../src/rabbitmq.js';
import { lastingQueues, rabbitmqClient, takeAll } from '../../brokers/rabbitmq/clients.js';
import { asRecords, type BrokerKind } from './broker.js';

export const rabbitmq: BrokerKind = {
  title: 'RabbitMQ',
  resolve: () => resolveServer(rabbitmqServer),
  start: async () => {
    const broker = await startRabbitmq();
    const topic = (await lastingQueues(broker, 1))();
    return {
      node: broker.node,
      place: { broker: 'rabbitmq', url: broker.url, topic },
      records: async () => asRecords(await takeAll(broker.url, topic)),
      stop: broker.stop,
    };
  },
  connect: async ({ url, topic }) => {
    const connection = await rabbitmqClient(url);
    return { publisher: rabbitmqPublisher(connection, { routingKey: topic }), close: () => connection.close() };
  },
};
