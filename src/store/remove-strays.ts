import { serverCode } from '../errors.js';
import { readOldest } from './log-bounds.js';
import type { Store } from './store.js';

/** IllegalOperation: what servers before 5.0.7 answer to a delete on a capped collection. */
const illegalOperation = 20;

/**
 * Removes stray entries, whose positions are all below the oldest one that belongs to the log. Readers pass them over
 * anyway, so a server that refuses is left alone; so is a log with more of them than stale sequencers can leave.
 */
export async function removeStrays(store: Store, mostStrays: number): Promise<void> {
  const oldest = await readOldest(store);
  if (oldest === undefined || oldest.position <= 1) return;
  const log = store.collection('log');
  const strays = await log
    .find({ _id: { $lt: oldest.position as never } }, { projection: { _id: 1 }, limit: mostStrays + 1 })
    .toArray();
  if (strays.length === 0 || strays.length > mostStrays) return;
  try {
    await log.deleteMany({ _id: { $in: strays.map(({ _id }) => _id) } });
  } catch (error) {
    if (serverCode(error) !== illegalOperation) throw error;
  }
}
