import type { Socket } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { rabbitmqServer, startRabbitmq } from '../../../dev/brokers/rabbitmq.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import type { Broker } from '../../../dev/brokers/start-broker.js';
import { Unavailable } from '../../../src/index.js';
import { rabbitmqPublisher } from '../../../src/rabbitmq.js';
import { missingBroker } from '../../support/brokers.js';
import { itSurvivesFaults } from '../../support/it-survives-faults.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';

import { amqplibService, lastingQueues, onChannel, rabbitmqClient, rabbitmqClients, takeAll } from './clients.js';

const missing = await missingBroker('RabbitMQ', () => resolveServer(rabbitmqServer));
const context = () => ({ signal: new AbortController().signal, consumer: 'test', epoch: 1 });

describe.skipIf(missing)('the RabbitMQ publisher under faults', () => {
  let broker: Broker;
  let nextQueue: () => string;
  beforeAll(async () => {
    broker = await startRabbitmq();
    nextQueue = await lastingQueues(broker, 20);
  });
  afterAll(() => broker?.stop());
  afterEach(() => broker.node.resume());

  describe.each(Object.entries(rabbitmqClients))('with %s', (_, makeClient) => {
    itSurvivesFaults(
      () => broker.node,
      async () => {
        const routingKey = nextQueue();
        const { client, close } = await makeClient(broker.url);
        return {
          publisher: rabbitmqPublisher(client, { routingKey }),
          received: () => takeAll(broker.url, routingKey),
          close,
        };
      },
    );

    it('takes a broker that confirms nothing for too long to be down', async () => {
      const routingKey = nextQueue();
      const { client, close } = await makeClient(broker.url);
      onTestFinished(async () => void (await close()));
      const publisher = rabbitmqPublisher(client, { routingKey, confirmTimeoutMs: 1_000 });
      const messages = testMessages(20, 20);
      await publisher.publish(messages.slice(0, 10), context());
      broker.node.pause();
      const late = publisher.publish(messages.slice(10), context());
      await expect(late).rejects.toThrow(/nothing for 1000 ms|no channel to RabbitMQ for 1000 ms/);
      await expect(late).rejects.toBeInstanceOf(Unavailable);
      broker.node.resume();
      expect((await relayAll(publisher, messages.slice(10))).dead.size).toBe(0);
      checkReceived(await takeAll(broker.url, routingKey), messages);
    });
  });

  it('is told at once by amqplib when the connection breaks while it waits', async () => {
    const routingKey = nextQueue();
    await onChannel(broker.url, async (channel) => {
      const publisher = rabbitmqPublisher(channel, { routingKey });
      await publisher.publish(testMessages(1, 1), context());
      broker.node.pause();
      const published = publisher.publish(testMessages(3, 3), context());
      (channel.connection as unknown as { stream: Socket }).stream.destroy(new Error('reset'));
      await expect(published).rejects.toBeInstanceOf(Unavailable);
      broker.node.resume();
      // It is never open again: a function has to give another one.
      const begun = performance.now();
      await expect(publisher.publish(testMessages(1, 1), context())).rejects.toThrow('the channel is closed');
      expect(performance.now() - begun).toBeLessThan(1_000);
    });
  });
});

describe.skipIf(missing)('a RabbitMQ that is out of memory', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startRabbitmq({ config: ['vm_memory_high_watermark.absolute = 1MB'] });
  });
  afterAll(() => broker?.stop());

  it.each(['amqplib', 'rabbitmq-client'])('is an outage, with %s', async (name) => {
    await onChannel(broker.url, (channel) => channel.assertQueue('queue', { durable: true }));
    const service = amqplibService(broker.url);
    const client = name === 'amqplib' ? service.channel : await rabbitmqClient(broker.url);
    const publisher = rabbitmqPublisher(client, { routingKey: 'queue' });
    const begun = performance.now();
    const first = publisher.publish(testMessages(3, 3), context());
    await expect(first).rejects.toBeInstanceOf(Unavailable);
    await expect(first).rejects.toThrow('blocked');
    await expect(publisher.publish(testMessages(3, 3), context())).rejects.toThrow('blocked');
    expect(performance.now() - begun).toBeLessThan(5_000);
    if ('unsafeDestroy' in client) client.unsafeDestroy();
    // Before version 2 amqplib waits for the answer of a server that does not even read; it is stopped next.
    void service.close();
  });
});
