import { Redis } from 'ioredis';
import { createClient } from 'redis';

import type { RedisClient } from '../../../src/redis.js';
import type { ReceivedMessage } from '../../../src/testing.js';

export interface RedisService {
  readonly client: RedisClient;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** Each client, as a service makes it. */
export const redisClients: Readonly<Record<string, (url: string) => Promise<RedisService>>> = {
  ioredis: async (url) => {
    const client = new Redis(url, { retryStrategy: () => 100 });
    client.on('error', () => undefined);
    await client.ping().catch((error: unknown) => {
      client.disconnect();
      throw error;
    });
    return {
      client,
      ping: async () => (await client.ping()) === 'PONG',
      close: async () => client.disconnect(),
    };
  },
  'node-redis': async (url) => {
    const client = createClient({ url, socket: { reconnectStrategy: () => 100 } });
    client.on('error', () => undefined);
    await client.connect();
    return {
      client,
      ping: async () => (await client.ping()) === 'PONG',
      close: async () => end(client),
    };
  },
};

/** Closes a client of node-redis at once; version 4 has another name for it. */
export function end(client: { destroy?: () => void; disconnect?: () => unknown }): void {
  if (client.destroy) client.destroy();
  else void client.disconnect?.();
}

/** Does something on a connection of its own, which is closed then. */
export async function onRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 100, retryStrategy: () => 100 });
  redis.on('error', () => undefined);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** All that a stream holds, in its order. */
export async function readStream(url: string, stream: string): Promise<ReceivedMessage[]> {
  const entries = await onRedis(url, (redis) => redis.xrange(stream, '-', '+'));
  return entries.map(([, values]) => {
    const fields: Record<string, string> = {};
    for (let index = 0; index < values.length; index += 2) fields[values[index]!] = values[index + 1]!;
    return {
      id: fields['id']!,
      type: fields['type']!,
      data: JSON.parse(fields['data']!),
      position: Number(fields['position']),
      key: fields['key'],
      headers: JSON.parse(fields['headers'] ?? '{}') as Record<string, string>,
    };
  });
}
