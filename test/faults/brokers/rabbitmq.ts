import { rabbitmqServer, startRabbitmq } from '../../../dev/brokers/rabbitmq.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import { rabbitmqPublisher } from '../../../src/rabbitmq.js';
import { lastingQueues, rabbitmqClient, takeAll } from '../../brokers/rabbitmq/clients.js';
import { roundBroker, type BrokerKind } from './broker.js';

export const rabbitmq: BrokerKind = {
  title: 'RabbitMQ',
  resolve: () => resolveServer(rabbitmqServer),
  start: async () => {
    const broker = await startRabbitmq();
    const topic = (await lastingQueues(broker, 1))();
    return roundBroker('rabbitmq', broker, topic, takeAll);
  },
  connect: async ({ url, topic }) => {
    const connection = await rabbitmqClient(url);
    return { publisher: rabbitmqPublisher(connection, { routingKey: topic }), close: () => connection.close() };
  },
};
