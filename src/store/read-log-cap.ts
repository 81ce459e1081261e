import type { ClientSession } from 'mongoose';
import type { LogCap } from './set-up.js';
import type { Store } from './store.js';

/** The cap of the log as the server has it now; it may have been changed by `collMod` since this process started. */
export async function readLogCap(store: Store, session?: ClientSession): Promise<LogCap> {
  const stats = await store.command({ collStats: store.names.log }, session === undefined ? {} : { session });
  const max = Number(stats['max'] ?? 0);
  return { sizeBytes: Number(stats['maxSize']), maxMessages: max > 0 && max < 2 ** 31 - 1 ? max : undefined };
}
