import { randomBytes } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { Connection } from 'rabbitmq-client';

import type { Broker } from '../../../dev/brokers/start-broker.js';
import type { RabbitmqClient } from '../../../src/rabbitmq.js';
import type { ReceivedMessage } from '../../../src/testing.js';

/** What a service does with amqplib: a new channel when the old one is gone. */
export interface AmqplibService {
  readonly channel: () => Promise<ConfirmChannel>;
  close(): Promise<void>;
}

export function amqplibService(url: string): AmqplibService {
  let connection: ChannelModel | undefined;
  let channel: ConfirmChannel | undefined;
  const open = async (): Promise<ConfirmChannel> => {
    if (connection === undefined) {
      const opened = await connect(url);
      opened.on('error', () => undefined);
      opened.on('close', () => (connection = channel = undefined));
      connection = opened;
    }
    if (channel === undefined) {
      const opened = await connection.createConfirmChannel();
      opened.on('error', () => undefined);
      opened.on('close', () => (channel = undefined));
      channel = opened;
    }
    return channel;
  };
  return { channel: open, close: async () => connection?.close().catch(() => undefined) };
}

/** Ready to use. */
export async function rabbitmqClient(url: string): Promise<Connection> {
  const connection = new Connection({ url, retryLow: 100, retryHigh: 500 });
  connection.on('error', () => undefined);
  await connection.onConnect();
  return connection;
}

interface ClientUnderTest {
  readonly client: RabbitmqClient | (() => Promise<RabbitmqClient>);
  close(): Promise<unknown>;
}

/** What a service passes in, for each package. */
export const rabbitmqClients: Readonly<Record<string, (url: string) => Promise<ClientUnderTest>>> = {
  amqplib: (url) => {
    const service = amqplibService(url);
    return Promise.resolve({ client: service.channel, close: () => service.close() });
  },
  'rabbitmq-client': async (url) => {
    const connection = await rabbitmqClient(url);
    return { client: connection, close: () => connection.close() };
  },
};

/**
 * Durable queues for tests that kill the broker. One that is killed within a second or so of declaring a queue may start
 * without it, with all that was confirmed in it; what was there at a clean shutdown stays.
 *
 * @returns gives the name of another one at each call
 */
export async function lastingQueues({ url, node }: Broker, count: number): Promise<() => string> {
  const queues = Array.from({ length: count }, () => `queue-${randomBytes(6).toString('hex')}`);
  await onChannel(url, async (channel) => {
    for (const queue of queues) await channel.assertQueue(queue, { durable: true });
  });
  await node.restart();
  return () => {
    const queue = queues.pop();
    if (queue === undefined) throw new Error(`more than ${count} queues are needed`);
    return queue;
  };
}

/** Does something on a connection of its own, which is closed then. */
export async function onChannel<T>(url: string, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    return await work(channel);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

/** Takes out all that a queue holds, in its order. */
export async function takeAll(url: string, queue: string): Promise<ReceivedMessage[]> {
  return onChannel(url, async (channel) => {
    const found: ReceivedMessage[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return found;
      const { headers = {}, type } = message.properties as { headers?: Record<string, string>; type: string };
      found.push({
        id: headers['id']!,
        type,
        data: JSON.parse(message.content.toString()),
        position: Number(headers['position']),
        key: headers['key'],
        headers,
      });
    }
  });
}
