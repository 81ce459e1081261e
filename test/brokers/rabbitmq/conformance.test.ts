import { afterAll, beforeAll, describe, it } from 'vitest';

import { rabbitmqServer, startRabbitmq } from '../../../dev/brokers/rabbitmq.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { rabbitmqPublisher } from '../../../src/rabbitmq.js';
import { publisherCases, type ReceivedMessage } from '../../../src/testing.js';
import { missingBroker } from '../../support/brokers.js';
import { relayFaults, type BrokerFixture } from '../relay-faults.js';

import { lastingQueues, rabbitmqClients, takeAll } from './clients.js';

const missing = await missingBroker('RabbitMQ', () => resolveServer(rabbitmqServer));

describe.skipIf(missing)('the RabbitMQ publisher keeps what a publisher promises', () => {
  let broker: Broker;
  let nextQueue: () => string;
  beforeAll(async () => {
    broker = await startRabbitmq();
    nextQueue = await lastingQueues(broker, 100);
  });
  afterAll(() => broker?.stop());

  describe.each(Object.entries(rabbitmqClients))('with %s', (_, make) => {
    async function open(): Promise<BrokerFixture> {
      const queue = nextQueue();
      const received: ReceivedMessage[] = [];
      const { client, close } = await make(broker.url);
      return {
        // The default exchange: no queue has the name of the refused message's type.
        publisher: rabbitmqPublisher(client, {
          routingKey: ({ type }) => (type === 'unroutable' ? 'no-queue' : queue),
        }),
        refused: { type: 'unroutable' },
        received: async () => {
          received.push(...(await takeAll(broker.url, queue)));
          return received;
        },
        node: broker.node,
        down: () => broker.node.kill9(),
        up: () => broker.node.restart(),
        clientWorks: async () => {
          const current = typeof client === 'function' ? await client() : client;
          return 'ready' in current ? current.ready : current.waitForConfirms().then(() => true);
        },
        close: async () => {
          await close();
        },
      };
    }
    for (const { name, run } of publisherCases(open)) it(name, run);

    describe('behind a relay:', () => relayFaults(open, { refusesLarge: false }));
  });
});
