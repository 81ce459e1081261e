import type { TestProject } from 'vitest/node';

import type { Mongod } from '../../dev/mongod.js';
import { startReplicaSet } from '../../dev/replica-set.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A replica set of one node that all integration tests share: each file takes a database name of its own. */
    mongoUri: string;
    /** For a test that starts servers of its own: `startReplicaSet({ mongod: inject('mongod') })`. */
    mongod: Mongod;
  }
}

/** Runs once before the integration tests; what it returns runs after them. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const set = await startReplicaSet({ args: ['--setParameter', 'enableTestCommands=1'] });
  provide('mongoUri', set.uri);
  provide('mongod', set.mongod);
  return () => set.stop();
}
