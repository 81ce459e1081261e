import { randomBytes } from 'node:crypto';

import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { natsServer, startNats } from '../../../dev/brokers/nats.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { PermanentError, Unavailable } from '../../../src/index.js';
import { natsPublisher, type NatsPublisherOptions } from '../../../src/nats.js';
import { missingBroker } from '../../support/brokers.js';
import { itSurvivesFaults, type TestedMessage } from '../../support/it-survives-faults.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';

import { natsClients, onConnection, readStream, type NatsClientOptions } from './clients.js';

const missing = await missingBroker('NATS', () => resolveServer(natsServer));
const context = () => ({ signal: new AbortController().signal, consumer: 'test', epoch: 1 });

/** A user who may publish to `allowed.*` alone, beside one who may do everything. */
const users = `authorization {
  users: [
    { user: "all", password: "all" }
    { user: "limited", password: "limited", permissions: { publish: ["allowed.>", "$JS.API.>"], subscribe: ">" } }
  ]
}
no_auth_user: all`;

describe.skipIf(missing)('the NATS publisher', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startNats({ config: ['max_payload: 65536', users] });
  });
  afterAll(() => broker?.stop());
  afterEach(() => broker.node.resume());

  async function makeStream(config: Partial<StreamConfig> = {}): Promise<string> {
    const name = `stream-${randomBytes(6).toString('hex')}`;
    await onConnection(broker.url, async (connection) => {
      const { streams } = await jetstreamManager(connection);
      await streams.add({ name, subjects: [`${name}.*`], ...config });
    });
    return name;
  }

  describe.each(Object.entries(natsClients))('with %s', (_, makeClient) => {
    async function publisher(options: NatsPublisherOptions<TestedMessage>, user?: NatsClientOptions) {
      const client = await makeClient(broker.url, user);
      onTestFinished(() => client.close());
      return natsPublisher(client.jetstream, options);
    }

    itSurvivesFaults(
      () => broker.node,
      async () => {
        const name = await makeStream();
        const client = await makeClient(broker.url);
        return {
          // Shorter than the default, or each of these waits for it; longer than the broker stands still.
          publisher: natsPublisher(client.jetstream, { subject: `${name}.all`, ackTimeoutMs: 6_000 }),
          received: () => readStream(broker.url, name),
          close: client.close,
        };
      },
    );

    it('stores once what it sends again after an acknowledgement that was too late', async () => {
      const name = await makeStream();
      const late = await publisher({ subject: `${name}.all`, ackTimeoutMs: 300 });
      const messages = testMessages(20, 20);
      await late.publish(messages.slice(0, 10), context());
      broker.node.pause();
      const published = late.publish(messages.slice(10), context());
      await expect(published).rejects.toBeInstanceOf(Unavailable);
      broker.node.resume();
      await relayAll(late, messages);
      expect(checkReceived(await readStream(broker.url, name), messages)).toBe(0);
    });

    it('takes the id that an option gives for a repeat, and none where it is empty', async () => {
      const name = await makeStream();
      const subject = `${name}.all`;
      await (await publisher({ subject, messageId: () => 'the same' })).publish(testMessages(3, 3), context());
      expect(await readStream(broker.url, name)).toHaveLength(1);
      await (await publisher({ subject, messageId: () => '' })).publish(testMessages(3, 3), context());
      expect(await readStream(broker.url, name)).toHaveLength(4);
    });

    it('waits for the stream of the one subject, and goes on when it is there', async () => {
      const name = `late-${randomBytes(6).toString('hex')}`;
      const waiting = await publisher({ subject: `${name}.all` });
      const refused = waiting.publish(testMessages(3, 3), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toThrow(`no JetStream stream takes the subject "${name}.all". Create one`);
      await makeStream({ name, subjects: [`${name}.*`] });
      await waiting.publish(testMessages(3, 3), context());
      expect(await readStream(broker.url, name)).toHaveLength(3);
    });

    it('finds the one message that is larger than max_payload', async () => {
      const name = await makeStream();
      const sending = await publisher({
        subject: `${name}.all`,
        content: ({ data }) => JSON.stringify({ ...data, text: data.number === 3 ? 'x'.repeat(70_000) : '' }),
      });
      const { dead } = await relayAll(sending, testMessages(6, 6));
      expect([...dead]).toEqual([[3, expect.any(PermanentError)]]);
      expect((await readStream(broker.url, name)).map(({ position }) => position).sort()).toEqual([1, 2, 4, 5, 6]);
    });

    it('finds the one message that is larger than its stream allows', async () => {
      const name = await makeStream({ max_msg_size: 1_000 });
      const sending = await publisher({
        subject: `${name}.all`,
        content: ({ data }) => JSON.stringify({ ...data, text: data.number === 3 ? 'x'.repeat(2_000) : '' }),
      });
      const { dead } = await relayAll(sending, testMessages(6, 6));
      expect([...dead]).toEqual([[3, expect.any(PermanentError)]]);
    });

    it('waits for a stream that is full and takes nothing new', async () => {
      const name = await makeStream({ max_msgs: 2, discard: 'new' as StreamConfig['discard'] });
      const sending = await publisher({ subject: `${name}.all` });
      const result = await sending.publish(testMessages(4, 4), context());
      expect(result?.failed).toHaveLength(2);
      for (const { error } of result?.failed ?? []) expect(error).toBeInstanceOf(Unavailable);
    });

    it('sets aside what can not be a subject or a header', async () => {
      const name = await makeStream();
      const sending = await publisher({ subject: ({ position }) => `${name}.${position === 2 ? '*' : 'all'}` });
      const messages = testMessages(4, 4).map((message) =>
        message.position === 3 ? { ...message, headers: { note: 'two\r\nlines' } } : message,
      );
      const { dead } = await relayAll(sending, messages);
      expect([...dead.keys()]).toEqual([2, 3]);
      expect((await readStream(broker.url, name)).map(({ id }) => id).sort()).toEqual(['id-1', 'id-4']);
    });

    it('says which subject the user may not publish to', async () => {
      const user = { user: 'limited', pass: 'limited' };
      await onConnection(broker.url, async (connection) => {
        const { streams } = await jetstreamManager(connection);
        await streams.add({ name: 'allowed', subjects: ['allowed.*', 'forbidden.*'] }).catch(() => undefined);
      });
      const fixed = await publisher({ subject: 'forbidden.all', ackTimeoutMs: 1_000 }, user);
      const refused = fixed.publish(testMessages(2, 2), context());
      await expect(refused).rejects.toBeInstanceOf(Unavailable);
      await expect(refused).rejects.toThrow('does not let this user publish to "forbidden.all". Allow it');
      const chosen = await publisher(
        { subject: ({ position }) => (position === 2 ? 'forbidden.all' : 'allowed.all') },
        user,
      );
      const { dead } = await relayAll(chosen, testMessages(4, 4));
      expect([...dead]).toEqual([[2, expect.any(PermanentError)]]);
    });
  });
});
