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
  const pending = store.db.collection<Document>(store.names.pending, { ...plainBson });
  const options = session === null ? { writeConcern: { w: 'majority' } as const } : { session };
  await pending.insertMany(messages as never[], { ordered: true, ...options });
}
