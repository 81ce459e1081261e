import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { connect as connect2 } from 'nats';

import type { NatsJetStreamClient } from '../../../src/nats.js';
import type { ReceivedMessage } from '../../../src/testing.js';

export interface NatsClient {
  readonly jetstream: NatsJetStreamClient;
  /** Whether it is connected. */
  works(): Promise<boolean>;
  close(): Promise<void>;
}

/** Of both clients. */
export interface NatsClientOptions {
  readonly user?: string;
  readonly pass?: string;
  readonly pingInterval?: number;
}

const patient = { maxReconnectAttempts: -1, reconnectTimeWait: 100 };

/** Each client, as a service makes it. */
export const natsClients: Readonly<
  Record<string, (servers: string | string[], options?: NatsClientOptions) => Promise<NatsClient>>
> = {
  '@nats-io/jetstream 3': async (servers, options) => {
    const connection = await connect({ servers, ...patient, ...options });
    return {
      jetstream: jetstream(connection),
      works: () => connection.flush().then(() => true),
      close: () => connection.close(),
    };
  },
  'nats 2': async (servers, options) => {
    const connection = await connect2({ servers, ...patient, ...options });
    return {
      jetstream: connection.jetstream(),
      works: () => connection.flush().then(() => true),
      close: () => connection.close(),
    };
  },
};

/** Does something on a connection of its own, which is closed then. */
export async function onConnection<T>(
  servers: string | string[],
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect({ servers });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** All that a stream holds, in its order. */
export async function readStream(servers: string | string[], name: string): Promise<ReceivedMessage[]> {
  return onConnection(servers, async (connection) => {
    const { streams } = await jetstreamManager(connection);
    const { last_seq: last } = (await streams.info(name)).state;
    const found: ReceivedMessage[] = [];
    for (let seq = 1; seq <= last; seq += 1) {
      const message = await streams.getMessage(name, { seq });
      if (message === null) continue;
      const headers = Object.fromEntries(message.header.keys().map((key) => [key, message.header.get(key)]));
      found.push({
        id: headers['id']!,
        type: headers['type']!,
        data: message.json(),
        position: Number(headers['position']),
        key: headers['key'],
        headers,
      });
    }
    return found;
  });
}
