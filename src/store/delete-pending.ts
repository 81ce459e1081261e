import type { ClientSession } from 'mongoose';
import type { Store } from './store.js';

/** Deletes by token, majority-committed: a delete that rolled back would bring a message back that is in the log already. */
export async function deletePending(
  store: Store,
  session: ClientSession,
  tokens: readonly unknown[],
  wtimeoutMs: number,
): Promise<void> {
  if (tokens.length === 0) return;
  const reply = await store.command(
    {
      delete: store.names.pending,
      deletes: [{ q: { _id: { $in: tokens } }, limit: 0 }],
      ordered: true,
      writeConcern: { w: 'majority', wtimeout: wtimeoutMs },
    },
    { session },
  );
  const failure = (reply['writeErrors'] as { code: number }[] | undefined)?.[0];
  if (failure !== undefined)
    throw Object.assign(new Error(`the delete from ${store.names.pending} failed: server error ${failure.code}`), {
      code: failure.code,
    });
}
