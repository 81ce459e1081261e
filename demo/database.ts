import { randomBytes } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import { startReplicaSet } from '../dev/replica-set.js';
import type { Cleanup } from './cleanup.js';
import { orderModel } from './order-model.js';
import { openOutbox, type TypesOfFile } from './outbox.js';
import { hostsOf } from './secrets.js';

/** Where the service and the relay find their data. */
export interface Database {
  readonly uri: string;
  readonly database: string;
}

const FIND_SERVER_MS = 10_000;

/** A database of this run alone: on a replica set that lives as long as the demo, or on the user's servers. */
export async function openDatabase(
  mongo: string | undefined,
  types: TypesOfFile | undefined,
  cleanup: Cleanup,
  log: (line: string) => void,
): Promise<Database> {
  const database = `service_outbox_demo_${Date.now().toString(36)}_${randomBytes(3).toString('hex')}`;
  if (mongo === undefined) {
    const set = await startReplicaSet({ log: (line) => log(`Database: ${line}`) });
    cleanup.add(() => set.stop());
    await withConnection(set.uri, database, (connection) => create(connection, types));
    return { uri: set.uri, database };
  }
  log(`Database: ${database} at ${hostsOf(mongo)}, dropped at the end`);
  const created = withConnection(mongo, database, (connection) => create(connection, types));
  cleanup.add(async () => {
    await created;
    await withConnection(mongo, database, (connection) => connection.dropDatabase());
  });
  await created;
  return { uri: mongo, database };
}

/** Before anybody writes: a transaction would have to be repeated where its collections come into being beside it. */
async function create(connection: Connection, types: TypesOfFile | undefined): Promise<void> {
  await orderModel(connection).createCollection();
  const outbox = openOutbox(connection, types);
  await outbox.init();
  await outbox.close();
}

async function withConnection(
  uri: string,
  dbName: string,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = mongoose.createConnection(uri, { dbName, serverSelectionTimeoutMS: FIND_SERVER_MS });
  try {
    await connection.asPromise();
    await work(connection);
  } finally {
    await connection.close();
  }
}
