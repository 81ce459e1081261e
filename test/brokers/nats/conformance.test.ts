import { randomBytes } from 'node:crypto';

import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, it } from 'vitest';

import { natsServer, startNats } from '../../../dev/brokers/nats.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { natsPublisher } from '../../../src/nats.js';
import { publisherCases } from '../../../src/testing.js';
import { missingBroker } from '../../support/brokers.js';
import { relayFaults, type BrokerFixture } from '../relay-faults.js';

import { natsClients, onConnection, readStream } from './clients.js';

const missing = await missingBroker('NATS', () => resolveServer(natsServer));

describe.skipIf(missing)('the NATS publisher keeps what a publisher promises', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startNats();
  });
  afterAll(() => broker?.stop());

  describe.each(Object.entries(natsClients))('with %s', (_, makeClient) => {
    async function open(): Promise<BrokerFixture> {
      const name = `stream-${randomBytes(6).toString('hex')}`;
      await onConnection(broker.url, async (connection) => {
        const { streams } = await jetstreamManager(connection);
        await streams.add({ name, subjects: [`${name}.*`] });
      });
      const client = await makeClient(broker.url);
      return {
        publisher: natsPublisher(client.jetstream, {
          subject: ({ type }) => (type === 'nowhere' ? `no.stream.${name}` : `${name}.${type}`),
          ackTimeoutMs: 1_000,
        }),
        refused: { type: 'nowhere' },
        received: () => readStream(broker.url, name),
        node: broker.node,
        down: () => broker.node.kill9(),
        up: () => broker.node.restart(),
        clientWorks: client.works,
        close: client.close,
      };
    }
    for (const { name, run } of publisherCases(open)) it(name, run);

    describe('behind a relay:', () => relayFaults(open, { refusesLarge: true }));
  });
});
