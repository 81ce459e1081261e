import { redisServer, startRedis } from '../../../dev/brokers/redis.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import { redisPublisher } from '../../../src/redis.js';
import { readStream, redisClients } from '../../brokers/redis/clients.js';
import { asRecords, type BrokerKind } from './broker.js';

const topic = 'orders';

export const redis: BrokerKind = {
  title: 'Redis',
  resolve: () => resolveServer(redisServer),
  start: async () => {
    const { node, url, stop } = await startRedis();
    return {
      node,
      place: { broker: 'redis', url, topic },
      records: async () => asRecords(await readStream(url, topic)),
      stop,
    };
  },
  connect: async ({ url, topic: stream }) => {
    const { client, close } = await redisClients['ioredis']!(url);
    return { publisher: redisPublisher(client, { stream }), close };
  },
};
