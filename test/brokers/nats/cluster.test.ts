import { randomBytes } from 'node:crypto';

import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { natsNode, natsServer, startNatsCluster } from '../../../dev/brokers/nats.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import type { Cluster } from '../../../dev/brokers/start-cluster.js';
import { natsPublisher } from '../../../src/nats.js';
import { missingBroker } from '../../support/brokers.js';
import { waitFor } from '../../support/create-outbox.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';

import { natsClients, onConnection, readStream } from './clients.js';

const missing = await missingBroker('a NATS cluster', () => resolveServer(natsServer));
const electedMs = 60_000;
const count = 2_000;

describe.skipIf(missing).each(Object.entries(natsClients))('three servers, over %s', (_name, makeClient) => {
  let cluster: Cluster<Broker>;
  const urls = () => cluster.members.map(({ url }) => url);
  beforeAll(async () => {
    cluster = await startNatsCluster();
  });
  afterAll(() => cluster?.stop());

  /** A stream of three copies, as soon as the cluster is one. */
  async function makeStream(): Promise<{ name: string; leader: () => Promise<Broker> }> {
    const name = `stream-${randomBytes(6).toString('hex')}`;
    const config = { name, subjects: [`${name}.*`], num_replicas: 3 } satisfies Partial<StreamConfig>;
    await waitFor(
      () => withStreams(async (streams) => (await streams.add(config)).config.num_replicas === 3).catch(() => false),
      electedMs,
    );
    const leader = async () => {
      const { cluster: raft } = await withStreams((streams) => streams.info(name));
      return cluster.members.find((_, index) => natsNode(index) === raft?.leader)!;
    };
    return { name, leader };
  }

  type Streams = Awaited<ReturnType<typeof jetstreamManager>>['streams'];
  const withStreams = <T>(work: (streams: Streams) => Promise<T>): Promise<T> =>
    onConnection(urls(), async (connection) => work((await jetstreamManager(connection)).streams));

  it.each([
    ['is killed', { away: 'kill9', back: 'restart' }],
    ['hangs', { away: 'pause', back: 'resume' }],
  ] as const)('a leader that %s: others go on, nothing is lost, and nothing is stored twice', async (_what, how) => {
    const { name, leader } = await makeStream();
    // Without more pings than by default, a client stays for minutes with a server that hangs.
    const client = await makeClient(urls(), { pingInterval: 1_000 });
    onTestFinished(() => client.close());
    const publisher = natsPublisher(client.jetstream, { subject: `${name}.all`, ackTimeoutMs: 3_000 });
    const messages = testMessages(count, 20);
    const { node } = await leader();
    onTestFinished(() => node[how.back]());
    const { dead } = await relayAll(publisher, messages, {
      deadlineMs: electedMs,
      // Not awaited: the batch is published meanwhile.
      onBatch: (n) => n === 7 && void node[how.away](),
    });
    expect(dead.size).toBe(0);
    await node[how.back]();
    // One that has just come back does not answer yet.
    const received = await waitFor(() => readStream(urls(), name).catch(() => undefined), electedMs);
    expect(checkReceived(received, messages)).toBe(0);
  });
});
