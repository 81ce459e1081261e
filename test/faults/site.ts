import { MongoClient } from 'mongodb';

import type { Mongod } from '../../dev/mongod.js';
import { startReplicaSet, type ReplicaSet } from '../../dev/replica-set.js';
import type { BrokerName, RoundBroker } from './brokers/broker.js';
import { BROKERS } from './brokers/brokers.js';
import { Proxy } from './network.js';

export interface SiteOptions {
  readonly nodes: 1 | 3;
  /** Whether connections go through proxies: of one node, each process has its own; of three, each node has. */
  readonly proxied: boolean;
  readonly mongod: Mongod;
  /** The real broker that the relay publishes to. @defaultValue none */
  readonly broker?: BrokerName;
}

/** The servers of a round. */
export interface Site {
  readonly set: ReplicaSet;
  readonly proxies: ReadonlyMap<string, Proxy>;
  readonly broker: RoundBroker | undefined;
  /** Where the process of a seat connects to. */
  uri(seat: string): Promise<string>;
  /** Runs a command on the primary itself, past all proxies; its fail points are set this way. */
  onPrimary<T>(work: (client: MongoClient) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

export async function openSite({ nodes, proxied, mongod, broker: brokerName }: SiteOptions): Promise<Site> {
  const proxies = new Map<string, Proxy>();
  const perNode = async (port: number): Promise<number> => {
    const proxy = await Proxy.start(port);
    proxies.set(`node ${port}`, proxy);
    return proxy.port;
  };
  const set = await startReplicaSet({
    nodes,
    mongod,
    args: [
      ...['--setParameter', 'enableTestCommands=1'],
      // What a killed process has locked in a transaction stays so for that long, and keeps others from it; longer than the longest.
      ...['--setParameter', 'transactionLifetimeLimitSeconds=25'],
    ],
    ...(proxied && nodes > 1 ? { advertise: perNode } : {}),
  });
  const broker = brokerName && (await BROKERS[brokerName].start());
  const uri = async (seat: string): Promise<string> => {
    if (!proxied || nodes > 1) return set.uri;
    const proxy = proxies.get(seat) ?? (await Proxy.start(set.nodes[0]!.port));
    proxies.set(seat, proxy);
    return `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
  };
  return {
    set,
    proxies,
    broker,
    uri,
    onPrimary: async (work) => {
      const { port } = await set.primary();
      const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
        serverSelectionTimeoutMS: 10_000,
        socketTimeoutMS: 20_000,
      });
      try {
        return await work(client);
      } finally {
        await client.close();
      }
    },
    stop: async () => {
      await Promise.all([set.stop(), broker?.stop()]);
      await Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
    },
  };
}
