import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, it } from 'vitest';

import { redisServer, startRedis } from '../../../dev/brokers/redis.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { redisPublisher } from '../../../src/redis.js';
import { publisherCases } from '../../../src/testing.js';
import { missingBroker } from '../../support/brokers.js';
import { relayFaults, type BrokerFixture } from '../relay-faults.js';

import { onRedis, readStream, redisClients } from './clients.js';

const missing = await missingBroker('Redis', () => resolveServer(redisServer));

describe.skipIf(missing)('the Redis publisher keeps what a publisher promises', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startRedis();
    await onRedis(broker.url, (redis) => redis.set('no-stream', 'a text'));
  });
  afterAll(() => broker?.stop());

  describe.each(Object.entries(redisClients))('with %s', (_, makeClient) => {
    async function open(): Promise<BrokerFixture> {
      const stream = `stream-${randomBytes(6).toString('hex')}`;
      const { client, ping, close } = await makeClient(broker.url);
      return {
        publisher: redisPublisher(client, { stream: ({ type }) => (type === 'refused' ? 'no-stream' : stream) }),
        refused: { type: 'refused' },
        received: () => readStream(broker.url, stream),
        node: broker.node,
        down: () => broker.node.kill9(),
        up: () => broker.node.restart(),
        clientWorks: ping,
        close,
      };
    }
    for (const { name, run } of publisherCases(open)) it(name, run);

    describe('behind a relay:', () => relayFaults(open, { refusesLarge: false }));
  });
});
