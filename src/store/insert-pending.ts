import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import type { PendingMessage } from '../schema/pending-message.js';
import { plainBson, type Document, type Store } from './store.js';

/**
 * One insert in the caller's transaction; without a session, one at w:majority on its own. Inside a transaction the
 * driver's errors pass as they are: `withTransaction` retries only on the driver's own error class and labels.
 */
export async function insertPending(
  store: Store,
  messages: readonly PendingMessage[],
  session: ClientSession | null,
): Promise<void> {
  const pending = pendingOf(store);
  const options = session === null ? { writeConcern: { w: 'majority' } as const } : { session };
  // Without the driver's bulk machinery, which one document does not need.
  if (messages.length === 1) await pending.insertOne(messages[0] as never, options);
  else await pending.insertMany(messages as never[], { ordered: true, ...options });
}

const handles = new WeakMap<object, mongoose.mongo.Collection<Document>>();

function pendingOf(store: Store): mongoose.mongo.Collection<Document> {
  const { db } = store;
  const known = handles.get(db);
  if (known !== undefined) return known;
  const pending = db.collection<Document>(store.names.pending, { ...plainBson });
  handles.set(db, pending);
  return pending;
}
