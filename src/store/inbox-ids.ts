import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import { plainBson, type Database, type Document } from './store.js';

/**
 * Records an id in the caller's transaction. An upsert, since an insert of a known id fails, and any failed write ends
 * the transaction; `$ifNull` leaves a known id as it is, so that no transaction waits for, or conflicts with, another that
 * only sees it too. The driver's errors pass as they are: of two transactions that record one id, the later one gets a
 * write conflict, which `withTransaction` retries.
 *
 * @returns whether the id is new
 */
export async function recordId(
  database: Database,
  collection: string,
  id: string,
  session: ClientSession,
): Promise<boolean> {
  const { upsertedCount } = await idsOf(database, collection).updateOne(
    { _id: id as never },
    [{ $set: { at: { $ifNull: ['$at', '$$NOW'] } } }],
    { upsert: true, session },
  );
  return upsertedCount === 1;
}

/** Takes an id out again in the transaction that recorded it. */
export async function forgetId(
  database: Database,
  collection: string,
  id: string,
  session: ClientSession,
): Promise<void> {
  await idsOf(database, collection).deleteOne({ _id: id as never }, { session });
}

/** Without a read preference and concerns: inside a transaction those are the transaction's. */
function idsOf(database: Database, collection: string): mongoose.mongo.Collection<Document> {
  return database.db.collection<Document>(collection, { ...plainBson });
}
