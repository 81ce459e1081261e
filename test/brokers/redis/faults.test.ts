import { randomBytes } from 'node:crypto';

import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { redisServer, startRedis } from '../../../dev/brokers/redis.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { freePorts } from '../../../dev/free-ports.js';
import { PermanentError, Unavailable } from '../../../src/index.js';
import { redisPublisher, type RedisClient } from '../../../src/redis.js';
import { missingBroker } from '../../support/brokers.js';
import { waitFor } from '../../support/create-outbox.js';
import { itSurvivesFaults } from '../../support/it-survives-faults.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';

import { end, onRedis, readStream, redisClients } from './clients.js';

const missing = await missingBroker('Redis', () => resolveServer(redisServer));
const context = () => ({ signal: new AbortController().signal, consumer: 'test', epoch: 1 });
const freshStream = () => `stream-${randomBytes(6).toString('hex')}`;

describe.skipIf(missing)('the Redis publisher', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startRedis();
  });
  afterAll(() => broker?.stop());

  describe.each(Object.entries(redisClients))('with %s', (_, makeClient) => {
    const opened = async () => {
      const service = await makeClient(broker.url);
      onTestFinished(() => service.close());
      return service.client;
    };

    itSurvivesFaults(
      () => broker.node,
      async () => {
        const stream = freshStream();
        const { client, close } = await makeClient(broker.url);
        return {
          publisher: redisPublisher(client, { stream }),
          received: () => readStream(broker.url, stream),
          close,
        };
      },
    );

    it('gives nothing to a client that is not connected, which would keep each repeat and send it later', async () => {
      const stream = freshStream();
      const client = await opened();
      const publisher = redisPublisher(client, { stream });
      await broker.node.kill9();
      const isDown = () => ('status' in client ? client.status !== 'ready' : client.isReady === false);
      await waitFor(isDown);
      for (let n = 0; n < 5; n += 1)
        await expect(publisher.publish(testMessages(1, 1), context())).rejects.toThrow('is not connected');
      await broker.node.restart();
      await relayAll(publisher, testMessages(2, 1));
      expect((await readStream(broker.url, stream)).map(({ id }) => id)).toEqual(['id-1', 'id-2']);
    });

    it('takes a server that answers nothing for too long to be down', async () => {
      const stream = freshStream();
      const publisher = redisPublisher(await opened(), { stream, replyTimeoutMs: 500 });
      const messages = testMessages(20, 20);
      await publisher.publish(messages.slice(0, 10), context());
      broker.node.pause();
      const late = publisher.publish(messages.slice(10), context());
      await expect(late).rejects.toThrow('nothing for 500 ms');
      await expect(late).rejects.toBeInstanceOf(Unavailable);
      broker.node.resume();
      await relayAll(publisher, messages.slice(10));
      checkReceived(await readStream(broker.url, stream), messages);
    });

    it('waits where the one key holds something else, and goes on when that is mended', async () => {
      const stream = freshStream();
      await onRedis(broker.url, (redis) => redis.set(stream, 'a text'));
      const publisher = redisPublisher(await opened(), { stream });
      const refused = publisher.publish(testMessages(3, 3), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toThrow('holds something else than a stream. Remove it');
      await onRedis(broker.url, (redis) => redis.del(stream));
      await publisher.publish(testMessages(3, 3), context());
      expect(await readStream(broker.url, stream)).toHaveLength(3);
    });

    it('says of a server that is out of memory that it is an outage', async () => {
      const stream = freshStream();
      const publisher = redisPublisher(await opened(), { stream });
      await onRedis(broker.url, (redis) => redis.config('SET', 'maxmemory', '1'));
      const refused = publisher.publish(testMessages(3, 3), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toMatchObject({ cause: { message: expect.stringMatching(/^OOM /) } });
      await onRedis(broker.url, (redis) => redis.config('SET', 'maxmemory', '0'));
      await publisher.publish(testMessages(3, 3), context());
      expect(await readStream(broker.url, stream)).toHaveLength(3);
    });

    it('says of a read-only replica that it is an outage, and keeps the payload out of the error', async () => {
      const publisher = redisPublisher(await opened(), { stream: freshStream() });
      await onRedis(broker.url, (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'));
      onTestFinished(() => onRedis(broker.url, async (redis) => void (await redis.call('REPLICAOF', 'NO', 'ONE'))));
      const error = await publisher.publish(testMessages(1, 1), context()).then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      expect(error).toBeInstanceOf(Unavailable);
      expect((error!.cause as Error).message).toMatch(/^READONLY /);
      expect(Object.keys(error!.cause as Error)).not.toContain('command');
    });

    it('says which user may not write to which key: for each message where a function names it', async () => {
      const allowed = freshStream();
      await onRedis(broker.url, (redis) =>
        redis.call('ACL', 'SETUSER', 'limited', 'on', '>secret', `~${allowed}`, '+@all'),
      );
      const service = await makeClient(broker.url.replace('://', '://limited:secret@'));
      onTestFinished(() => service.close());
      const fixed = redisPublisher(service.client, { stream: 'forbidden' }).publish(testMessages(2, 2), context());
      await expect(fixed).rejects.toBeInstanceOf(Unavailable);
      await expect(fixed).rejects.toThrow('write to the key "forbidden". Allow it');
      const chosen = redisPublisher<{ type: string; data: { number: number } }>(service.client, {
        stream: ({ position }) => (position === 2 ? 'forbidden' : allowed),
      });
      const { dead } = await relayAll(chosen, testMessages(4, 4));
      expect([...dead]).toEqual([[2, expect.any(PermanentError)]]);
      expect(String(dead.get(2))).not.toContain('secret');
    });

    it.each(['exact', 'approximate'] as const)('keeps at most so many entries: %s', async (trim) => {
      const stream = freshStream();
      const publisher = redisPublisher(await opened(), { stream, maxLength: 100, trim });
      await publisher.publish(testMessages(500, 50), context());
      const length = await onRedis(broker.url, (redis) => redis.xlen(stream));
      if (trim === 'exact') expect(length).toBe(100);
      else expect(length).toBeLessThan(300);
      expect(length).toBeGreaterThanOrEqual(100);
    });
  });
});

describe.skipIf(missing)('the Redis publisher in a cluster', () => {
  let broker: Broker;
  beforeAll(async () => {
    const [busPort] = await freePorts(1);
    broker = await startRedis({
      args: ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-announce-ip', '127.0.0.1'],
    });
    await onRedis(broker.url, async (redis) => {
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      await waitFor(async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), 30_000);
    });
  });
  afterAll(() => broker?.stop());

  const clusters: Record<string, () => Promise<{ client: RedisClient; close: () => void }>> = {
    ioredis: async () => {
      const client = new Cluster([{ host: '127.0.0.1', port: broker.node.port }]);
      await client.ping();
      return { client, close: () => client.disconnect() };
    },
    'node-redis': async () => {
      const client = createCluster({ rootNodes: [{ url: broker.url }] });
      await client.connect();
      return { client, close: () => end(client) };
    },
  };

  it.each(Object.entries(clusters))('sends each message to the node of its stream: %s', async (name, make) => {
    const { client, close } = await make();
    onTestFinished(close);
    const publisher = redisPublisher<{ type: string; data: { number: number } }>(client, {
      stream: ({ position }) => `${name}-${position % 7}`,
    });
    expect((await relayAll(publisher, testMessages(70, 10))).dead.size).toBe(0);
    for (let n = 0; n < 7; n += 1) expect(await readStream(broker.url, `${name}-${n}`)).toHaveLength(10);
  });
});
