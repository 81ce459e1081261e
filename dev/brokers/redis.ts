import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { outputOf } from '../executables.js';

import { resolveServer, type WantedServer } from './server-binary.js';
import { firstAnswer, startBroker, type Broker, type BrokerOptions } from './start-broker.js';

/** Redis, by its own name: https://redis.io */
export const redisServer: WantedServer = {
  name: 'Redis',
  variable: 'REDIS_SERVER_BINARY',
  command: 'redis-server',
  inPackage: 'usr/bin/redis-server',
  versionOf: async (binary, env) => {
    const text = await outputOf(binary, ['--version'], { env, timeoutMs: 30_000 });
    const version = /\bv=(\S+)/.exec(text)?.[1];
    if (version === undefined) throw new Error(`${binary} --version does not look like Redis: ${text.slice(0, 200)}`);
    return version;
  },
};

export interface RedisOptions extends BrokerOptions {
  /** Further settings, as on its command line: `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
}

/** Starts a Redis that has each write on disk before it answers. */
export async function startRedis({ args = [], ...options }: RedisOptions = {}): Promise<Broker> {
  return startBroker(
    {
      name: 'redis',
      server: await resolveServer(redisServer),
      scheme: 'redis',
      launch: ({ folder, port }) => {
        const data = join(folder, 'data');
        mkdirSync(data);
        return {
          args: [
            ...['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--daemonize', 'no'],
            ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
            ...args,
          ],
          // While it reads its file it answers LOADING.
          isReady: async () => (await firstAnswer(port, 'PING\r\n')).startsWith('+PONG'),
        };
      },
    },
    options,
  );
}
