import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import type { CollectionRole } from '../schema/names.js';
import { plainBson, writeMajority, type Document, type Store } from './store.js';

/** Read and write concern of the library's transactions, whatever the service's connection says. */
export const transactionOptions = (wtimeoutMs: number) =>
  ({
    readConcern: { level: 'snapshot' },
    writeConcern: writeMajority(wtimeoutMs),
    readPreference: 'primary',
  }) as const;

/** Runs `work` in a transaction of a session of its own, first `begun` once; `work` is run again after a transient error. */
export async function inTransaction<T>(
  store: Store,
  wtimeoutMs: number,
  work: (session: ClientSession) => Promise<T>,
  begun?: (session: ClientSession) => Promise<void>,
): Promise<T> {
  const session = store.session();
  try {
    await begun?.(session);
    return await session.withTransaction(() => work(session), transactionOptions(wtimeoutMs));
  } finally {
    void session.endSession().catch(() => undefined);
  }
}

/** A collection for operations inside a transaction, which has the concerns for all of them. */
export function inTransactionCollection(store: Store, role: CollectionRole): mongoose.mongo.Collection<Document> {
  return store.db.collection<Document>(store.names[role], { ...plainBson });
}
