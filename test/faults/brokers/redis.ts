import { redisServer, startRedis } from '../../../dev/brokers/redis.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import { redisPublisher } from '../../../src/redis.js';
import { readStream, redisClients } from '../../brokers/redis/clients.js';
import { roundBroker, type BrokerKind } from './broker.js';

export const redis: BrokerKind = {
  title: 'Redis',
  resolve: () => resolveServer(redisServer),
  start: async () => roundBroker('redis', await startRedis(), 'orders', readStream),
  connect: async ({ url, topic: stream }) => {
    const { client, close } = await redisClients['ioredis']!(url);
    return { publisher: redisPublisher(client, { stream }), close };
  },
};
