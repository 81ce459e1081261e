import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { rabbitmqServer, startRabbitmq } from '../../../dev/brokers/rabbitmq.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { PermanentError, Unavailable } from '../../../src/index.js';
import { rabbitmqPublisher, type RabbitmqPublisherOptions } from '../../../src/rabbitmq.js';
import { missingBroker } from '../../support/brokers.js';
import type { TestedMessage } from '../../support/it-survives-faults.js';
import { relayAll, testMessages } from '../../support/relay-all.js';

import { amqplibService, lastingQueues, onChannel, rabbitmqClient, takeAll } from './clients.js';

const missing = await missingBroker('RabbitMQ', () => resolveServer(rabbitmqServer));
const context = () => ({ signal: new AbortController().signal, consumer: 'test', epoch: 1 });
const maxSize = 65_536;

/** Users as RabbitMQ reads them: https://www.rabbitmq.com/docs/definitions */
function definitions(): string {
  const user = (name: string, tags: string) => {
    const salt = randomBytes(4);
    const hash = createHash('sha256').update(Buffer.concat([salt, Buffer.from(name)]));
    return { name, tags, password_hash: Buffer.concat([salt, hash.digest()]).toString('base64'), limits: {} };
  };
  const permission = (name: string, write: string) => ({ user: name, vhost: '/', configure: '.*', write, read: '.*' });
  return JSON.stringify({
    users: [user('guest', 'administrator'), user('limited', '')],
    vhosts: [{ name: '/' }],
    permissions: [permission('guest', '.*'), permission('limited', '^(allowed.*|queue-.*)$')],
  });
}

describe.skipIf(missing)('what RabbitMQ refuses', () => {
  let broker: Broker;
  const folder = mkdtempSync(join(tmpdir(), 'service-outbox-definitions-'));
  beforeAll(async () => {
    const file = join(folder, 'definitions.json');
    writeFileSync(file, definitions());
    broker = await startRabbitmq({ config: [`max_message_size = ${maxSize}`, `load_definitions = ${file}`] });
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(folder, { recursive: true });
  });

  async function makeQueue(args: Record<string, unknown> = {}): Promise<string> {
    const queue = `queue-${randomBytes(6).toString('hex')}`;
    await onChannel(broker.url, (channel) => channel.assertQueue(queue, { durable: true, arguments: args }));
    return queue;
  }

  describe.each(['amqplib', 'rabbitmq-client'])('with %s', (name) => {
    async function publisher(options: RabbitmqPublisherOptions<TestedMessage>, url = broker.url) {
      if (name === 'amqplib') {
        const service = amqplibService(url);
        onTestFinished(() => service.close());
        return rabbitmqPublisher(service.channel, options);
      }
      const connection = await rabbitmqClient(url);
      onTestFinished(() => connection.close());
      return rabbitmqPublisher(connection, options);
    }
    const stored = async (queue: string) => (await takeAll(broker.url, queue)).map(({ id }) => id);

    it('finds the one message that is larger than the server takes', async () => {
      const routingKey = await makeQueue();
      const sending = await publisher({
        routingKey,
        content: ({ data }) => JSON.stringify({ ...data, text: data.number === 3 ? 'x'.repeat(maxSize) : '' }),
      });
      const { dead } = await relayAll(sending, testMessages(6, 6));
      expect([...dead]).toEqual([[3, expect.any(PermanentError)]]);
      expect(String(dead.get(3))).toContain(`RabbitMQ takes ${maxSize} (max_message_size)`);
      expect(new Set(await stored(routingKey))).toEqual(new Set(['id-1', 'id-2', 'id-4', 'id-5', 'id-6']));
    });

    it('sends nothing that is larger than its own limit, and the channel stays open', async () => {
      const routingKey = await makeQueue();
      const sending = await publisher({
        routingKey,
        maxMessageBytes: 1_000,
        content: ({ data }) => JSON.stringify({ ...data, text: data.number === 3 ? 'x'.repeat(1_000) : '' }),
      });
      const { dead, outages } = await relayAll(sending, testMessages(6, 6));
      expect([[...dead.keys()], outages]).toEqual([[3], 0]);
    });

    it('waits for the one exchange, and goes on when it is there', async () => {
      const queue = await makeQueue();
      const exchange = `exchange-of-${queue}`;
      const sending = await publisher({ exchange });
      const refused = sending.publish(testMessages(3, 3), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toThrow(`no exchange "${exchange}". Declare it`);
      await onChannel(broker.url, async (channel) => {
        await channel.assertExchange(exchange, 'fanout');
        await channel.bindQueue(queue, exchange, '');
      });
      await relayAll(sending, testMessages(3, 3));
      expect(await stored(queue)).toHaveLength(3);
    });

    it('sets aside a message whose own exchange is missing, and the others go on', async () => {
      const queue = await makeQueue();
      const exchange = `exchange-of-${queue}`;
      await onChannel(broker.url, async (channel) => {
        await channel.assertExchange(exchange, 'fanout');
        await channel.bindQueue(queue, exchange, '');
      });
      const sending = await publisher({ exchange: ({ position }) => (position === 4 ? 'no-such-exchange' : exchange) });
      const { dead } = await relayAll(sending, testMessages(8, 8));
      expect([...dead]).toEqual([[4, expect.any(PermanentError)]]);
      expect(new Set(await stored(queue)).size).toBe(7);
    });

    it('waits for a queue where both names are given once', async () => {
      const sending = await publisher({ routingKey: 'no-such-queue' });
      await expect(sending.publish(testMessages(3, 3), context())).rejects.toThrow('Declare and bind the queue');
    });

    it('loses what reaches no queue when it is told to', async () => {
      const sending = await publisher({ routingKey: 'no-such-queue', mandatory: false });
      await expect(sending.publish(testMessages(3, 3), context())).resolves.toEqual({ failed: [] });
    });

    it('waits for a queue that is full and rejects', async () => {
      const routingKey = await makeQueue({ 'x-max-length': 2, 'x-overflow': 'reject-publish' });
      const sending = await publisher({ routingKey });
      const result = await sending.publish(testMessages(5, 5), context());
      expect(result?.failed.map(({ error }) => error instanceof Unavailable)).toEqual([true, true, true]);
      await stored(routingKey);
      await sending.publish(testMessages(2, 2), context());
    });

    it('says what the user may not write to', async () => {
      const url = broker.url.replace('guest:guest', 'limited:limited');
      await onChannel(broker.url, async (channel) => {
        for (const exchange of ['allowed', 'forbidden']) {
          await channel.assertExchange(exchange, 'fanout');
          await channel.assertQueue(`queue-of-${exchange}`);
          await channel.bindQueue(`queue-of-${exchange}`, exchange, '');
        }
      });
      const fixed = await publisher({ exchange: 'forbidden' }, url);
      const refused = fixed.publish(testMessages(2, 2), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toThrow('refuses this user to write to exchange "forbidden". Grant it');
      const chosen = await publisher({ exchange: ({ position }) => (position === 2 ? 'forbidden' : 'allowed') }, url);
      const { dead } = await relayAll(chosen, testMessages(4, 4));
      expect([...dead]).toEqual([[2, expect.any(PermanentError)]]);
    });

    it('sets aside headers and names that AMQP has no room for, and sends long ids', async () => {
      const routingKey = await makeQueue();
      const sending = await publisher({
        routingKey: ({ position }) => (position === 2 ? 'k'.repeat(256) : routingKey),
      });
      const messages = testMessages(5, 5).map((message) => {
        if (message.position === 3) return { ...message, headers: { large: 'x'.repeat(200_000) } };
        return message.position === 4 ? { ...message, id: 'i'.repeat(1_000) } : message;
      });
      const { dead } = await relayAll(sending, messages);
      expect([...dead.keys()].sort()).toEqual([2, 3]);
      for (const error of dead.values()) expect(error).toBeInstanceOf(PermanentError);
      expect(new Set(await stored(routingKey))).toEqual(new Set(['id-1', 'i'.repeat(1_000), 'id-5']));
    });

    it('stores messages that survive the server', async () => {
      const routingKey = (await lastingQueues(broker, 1))();
      await (await publisher({ routingKey })).publish(testMessages(10, 3), context());
      await broker.node.kill9();
      await broker.node.restart();
      expect(await stored(routingKey)).toHaveLength(10);
    });
  });

  it('waits for room in the buffer of amqplib, and leaves no listener behind', async () => {
    const routingKey = await makeQueue();
    const connection = await connect(broker.url);
    onTestFinished(() => connection.close());
    // Its buffer counts frames.
    const channel = await connection.createConfirmChannel({ highWaterMark: 10 });
    const listeners = () => channel.eventNames().map((event) => [event, channel.listenerCount(event)]);
    const before = listeners();
    const seen: string[] = [];
    const publish = channel.publish.bind(channel) as (...args: unknown[]) => boolean;
    vi.spyOn(channel, 'publish').mockImplementation((...args: unknown[]) => {
      const hasRoom = publish(...args);
      seen.push(hasRoom ? 'sent' : 'full');
      return hasRoom;
    });
    const note = () => seen.push('drain');
    channel.on('drain', note);
    const content = () => 'x'.repeat(60_000);
    await rabbitmqPublisher(channel, { routingKey, content }).publish(testMessages(200, 200), context());
    channel.removeListener('drain', note);
    expect(seen).toContain('full');
    // Nothing is written between a full buffer and its end.
    seen.forEach((what, index) => what === 'full' && expect(seen[index + 1]).toBe('drain'));
    expect(listeners()).toEqual(before);
  });
});
