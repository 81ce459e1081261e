import { describe, expect, it } from 'vitest';

import { natsPublisher, type NatsJetStreamClient } from '../../../src/nats.js';
import { within } from '../../../src/publishers/within.js';
import { rabbitmqPublisher, type RabbitmqClient } from '../../../src/rabbitmq.js';
import { redisPublisher, type RedisClient } from '../../../src/redis.js';
import { Unavailable } from '../../../src/verdict.js';

const nothing = () => Promise.reject(new Error('not called'));
const channel = { publish: nothing, waitForConfirms: nothing, on: nothing, removeListener: nothing };
const jetstream = { publish: nothing, jetstreamManager: nothing };
const redis = { status: 'ready', isCluster: false, pipeline: nothing, call: nothing };

const make = {
  rabbitmq: (client: unknown, options?: object) => rabbitmqPublisher(client as RabbitmqClient, options),
  nats: (client: unknown, options?: object) => natsPublisher(client as NatsJetStreamClient, options as never),
  redis: (client: unknown, options?: object) => redisPublisher(client as RedisClient, options as never),
};

describe('options of the publishers', () => {
  const stream = { stream: 's' };
  const subject = { subject: 's' };
  it.each([
    ['rabbitmq', channel, { topic: 'x' }, 'option topic is unknown'],
    ['rabbitmq', channel, { exchange: 5 }, 'option exchange must be a text'],
    ['rabbitmq', channel, { routingKey: '' }, 'option routingKey must be a text'],
    ['rabbitmq', channel, { mandatory: 'no' }, 'option mandatory must be true or false'],
    ['rabbitmq', channel, { content: 'text' }, 'option content must be a function'],
    ['rabbitmq', channel, { headers: {} }, 'option headers must be a function'],
    ['rabbitmq', channel, { contentType: '' }, 'option contentType must be a text'],
    ['rabbitmq', channel, { maxMessageBytes: 0 }, 'option maxMessageBytes must be a whole number'],
    ['rabbitmq', channel, { confirmTimeoutMs: 10 }, 'option confirmTimeoutMs must be a whole number'],
    ['nats', jetstream, {}, 'option subject must be a text'],
    ['nats', jetstream, { subject: 'a.*' }, 'option subject must be words with dots'],
    ['nats', jetstream, { ...subject, messageId: 'x' }, 'option messageId must be a function'],
    ['nats', jetstream, { ...subject, ackTimeoutMs: 1 }, 'option ackTimeoutMs must be a whole number'],
    ['nats', jetstream, { ...subject, timeout: 1 }, 'option timeout is unknown'],
    ['redis', redis, {}, 'option stream must be a text'],
    ['redis', redis, { ...stream, maxLength: 0 }, 'option maxLength must be a whole number'],
    ['redis', redis, { ...stream, trim: '~' }, 'option trim must be "approximate" or "exact"'],
    ['redis', redis, { ...stream, headers: 5 }, 'option headers must be a function'],
    ['redis', redis, { ...stream, replyTimeoutMs: 1.5 }, 'option replyTimeoutMs must be a whole number'],
    ['redis', redis, { ...stream, key: 'x' }, 'option key is unknown'],
  ] as const)('%s %o %o: %s', (name, client, options, text) => {
    expect(() => make[name](client, options)).toThrow(text);
    expect(() => make[name](client, options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('are good as they are', () => {
    expect(() => make.rabbitmq(channel)).not.toThrow();
    expect(() => make.rabbitmq(channel, { exchange: '', routingKey: () => 'x', contentType: undefined })).not.toThrow();
    expect(() => make.nats(jetstream, subject)).not.toThrow();
    expect(() => make.redis(redis, { ...stream, maxLength: 1_000, trim: 'exact' })).not.toThrow();
  });
});

describe('the client of a publisher', () => {
  const wrong: unknown[] = [undefined, null, 'amqp://user:secret@host', {}, { publish: 5 }, [], 42];
  it.each(wrong)('is refused with a text that says what is expected: %o', (client) => {
    expect(() => make.rabbitmq(client)).toThrow(/createConfirmChannel\(\).*rabbitmq-client/);
    expect(() => make.nats(client, { subject: 's' })).toThrow(/jetstream\(connection\)/);
    expect(() => make.redis(client, { stream: 's' })).toThrow(/new Redis\(url\).*createClient/);
  });

  it('has to confirm: a channel of amqplib that does not is refused', () => {
    const { waitForConfirms: _, ...plain } = channel;
    expect(() => make.rabbitmq(plain)).toThrow('createConfirmChannel()');
  });

  it('may come from a function, of which the same is asked', async () => {
    const publisher = make.rabbitmq(() => Promise.resolve({}));
    const message = { type: 't', data: {}, id: 'i', position: 1, created: new Date(), headers: {} };
    const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
    await expect(publisher.publish([message], context)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    const failing = make.rabbitmq(() => Promise.reject(new Error('down')));
    await expect(failing.publish([message], context)).rejects.toBeInstanceOf(Unavailable);
  });
});

describe('within', () => {
  const patience = { ms: 20, what: 'it has said nothing' };
  const { signal } = new AbortController();

  it('gives what the work gives, or throws', async () => {
    await expect(within({ ...patience, signal }, () => Promise.resolve(5))).resolves.toBe(5);
    await expect(within({ ...patience, signal }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('waits as long as there is a sign of life, and no longer', async () => {
    const never = new Promise<never>(() => undefined);
    let signs = 0;
    const begun = performance.now();
    const waiting = within({ ...patience, signal }, (signOfLife) => {
      const timer = setInterval(() => {
        signs += 1;
        if (signs < 5) signOfLife();
        else clearInterval(timer);
      }, 10);
      return never;
    });
    await expect(waiting).rejects.toThrow('it has said nothing for 20 ms');
    await expect(waiting).rejects.toBeInstanceOf(Unavailable);
    expect(performance.now() - begun).toBeGreaterThan(50);
  });

  it('ends when the signal aborts, also before it begins', async () => {
    const abort = new AbortController();
    const waiting = within({ ...patience, ms: 60_000, signal: abort.signal }, () => new Promise(() => undefined));
    abort.abort(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
    await expect(within({ ...patience, signal: abort.signal }, nothing)).rejects.toThrow('over');
  });
});
