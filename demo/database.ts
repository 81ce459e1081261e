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
  if (mongo !== undefined) log(`Database: ${database} at ${hostsOf(mongo)}, dropped at the end`);
  const uri = mongo ?? (await startDatabase(cleanup, log));
  const connection = await connect(uri, database);
  cleanup.begun.throwIfAborted();
  const created = create(connection, types);
  cleanup.add(async () => {
    await created.catch(() => undefined);
    await connection.dropDatabase();
    await connection.close();
  });
  await created;
  return { uri, database };
}

async function startDatabase(cleanup: Cleanup, log: (line: string) => void): Promise<string> {
  const set = await startReplicaSet({ log: (line) => log(`Database: ${line}`) });
  cleanup.add(() => set.stop());
  return set.uri;
}

async function connect(uri: string, dbName: string): Promise<Connection> {
  const connection = mongoose.createConnection(uri, { dbName, serverSelectionTimeoutMS: FIND_SERVER_MS });
  try {
    return await connection.asPromise();
  } catch (error) {
    await connection.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`no connection to the MongoDB at ${hostsOf(uri)}: ${reason}`, { cause: error });
  }
}

/** Before anybody writes: a transaction would have to be repeated where its collections come into being beside it. */
async function create(connection: Connection, types: TypesOfFile | undefined): Promise<void> {
  await orderModel(connection).createCollection();
  const outbox = openOutbox(connection, types);
  await outbox.init();
  await outbox.close();
}
