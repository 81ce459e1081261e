import { OutboxError } from '../errors.js';
import type { Database } from './store.js';

const oldestMajor = 5;

/** What an outbox needs: snapshot reads outside transactions need 5.0; capped collections are outside the Stable API. */
export async function checkServer(database: Database): Promise<void> {
  if (database.client.options.serverApi?.strict === true) {
    throw new OutboxError(
      'STRICT_API',
      "the connection sets serverApi.strict: capped collections are not part of MongoDB's Stable API; connect without strict",
    );
  }
  await checkReplicaSet(database);
  const admin = database.client.db('admin');
  const { version } = await admin.command({ buildInfo: 1 }, { readPreference: 'primary' });
  if (!isNewEnough(String(version))) {
    throw new OutboxError(
      'SERVER_TOO_OLD',
      `the server is MongoDB ${String(version)}: ${oldestMajor}.0 or newer is needed`,
    );
  }
}

/** Transactions need a replica set. */
export async function checkReplicaSet(database: Database): Promise<void> {
  const hello = await database.client.db('admin').command({ hello: 1 }, { readPreference: 'primary' });
  if (hello['setName'] === undefined && hello['msg'] !== 'isdbgrid') {
    throw new OutboxError(
      'NOT_A_REPLICA_SET',
      'the server is a standalone: transactions and change streams need a replica set; start mongod with --replSet and call rs.initiate() once (one node is enough)',
    );
  }
}

/** Whether a server version string such as "6.0.5" is one that the library works with. */
export function isNewEnough(version: string): boolean {
  return Number.parseInt(version, 10) >= oldestMajor;
}
