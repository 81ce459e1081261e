import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { outputOf } from '../executables.js';
import { freePorts } from '../free-ports.js';

import { startCluster, type Cluster } from './start-cluster.js';
import { resolveServer, type WantedServer } from './server-binary.js';
import { firstAnswer, startBroker, type Broker, type BrokerOptions } from './start-broker.js';

/** https://nats.io */
export const natsServer: WantedServer = {
  name: 'NATS',
  variable: 'NATS_SERVER_BINARY',
  command: 'nats-server',
  inPackage: 'usr/sbin/nats-server',
  versionOf: async (binary, env) => {
    const text = await outputOf(binary, ['--version'], { env, timeoutMs: 30_000 });
    const version = /nats-server: v(\S+)/.exec(text)?.[1];
    if (version === undefined) throw new Error(`${binary} --version does not look like NATS: ${text.slice(0, 200)}`);
    return version;
  },
};

export interface NatsOptions extends BrokerOptions {
  /** Further lines of its configuration: `['max_payload: 65536']`. */
  readonly config?: readonly string[];
  /** Where it listens. @defaultValue a free port */
  readonly port?: number;
}

/** Starts three of them as one cluster: a stream can have a copy on each. */
export async function startNatsCluster(options: NatsOptions = {}): Promise<Cluster<Broker>> {
  const ports = await freePorts(6);
  const routePorts = ports.slice(3);
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  return startCluster(
    ports.slice(0, 3).map((port, index) => {
      const cluster = `cluster { name: tested, listen: "127.0.0.1:${routePorts[index]}", routes: [${routes}] }`;
      const config = [...(options.config ?? []), `server_name: "${natsNode(index)}"`, cluster];
      return startNats({ ...options, config, port });
    }),
  );
}

/** What a member of a cluster is called, by its index. */
export const natsNode = (index: number): string => `node-${index}`;

/** Starts a NATS server with JetStream, whose streams are files. */
export async function startNats({ config = [], port: given, ...options }: NatsOptions = {}): Promise<Broker> {
  const server = await resolveServer(natsServer);
  return startBroker(
    {
      name: 'nats',
      server,
      scheme: 'nats',
      ...(given === undefined ? {} : { port: given }),
      launch: ({ folder, port }) => {
        const file = join(folder, 'nats.conf');
        const lines = [
          `listen: "127.0.0.1:${port}"`,
          `jetstream { store_dir: ${JSON.stringify(join(folder, 'data'))}, ${alwaysSync(server.version)} }`,
          ...config,
        ];
        writeFileSync(file, `${lines.join('\n')}\n`);
        return {
          args: ['-c', file],
          isReady: async () => (await firstAnswer(port)).includes('"jetstream":true'),
        };
      },
    },
    options,
  );
}

/** Each message on disk before it is acknowledged: a setting since 2.10. Before it, what a killed server wrote is with the system. */
function alwaysSync(version: string): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || minor >= 10 ? 'sync_interval: always' : '';
}
