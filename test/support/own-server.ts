import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, inject } from 'vitest';

import { startReplicaSet, type ReplicaSet, type ReplicaSetOptions } from '../../dev/replica-set.js';

/** A server of this test file alone, for faults that would hit everybody on the shared one. */
export interface OwnServer {
  readonly set: ReplicaSet;
  readonly uri: string;
  /** Beside the library; for fault injection. */
  readonly client: MongoClient;
}

export function ownServer(options: ReplicaSetOptions = {}): OwnServer {
  const own: { set?: ReplicaSet; client?: MongoClient } = {};
  beforeAll(async () => {
    const args = ['--setParameter', 'enableTestCommands=1', ...(options.args ?? [])];
    own.set = await startReplicaSet({ mongod: inject('mongod'), ...options, args });
    own.client = new MongoClient(own.set.uri, { appName: 'fault injection' });
  });
  afterAll(async () => {
    await own.client?.close();
    await own.set?.stop();
  });
  return {
    get set() {
      return own.set!;
    },
    get uri() {
      return own.set!.uri;
    },
    get client() {
      return own.client!;
    },
  };
}
