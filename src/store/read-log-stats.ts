import type { LogCap } from './set-up.js';
import type { Store } from './store.js';

/** The log's cap and size, as the server has them. */
export interface LogStats extends LogCap {
  /** What the server counts, and evicts by. After a crash of the server it may differ from what is there. */
  reported: { bytes: number; messages: number };
}

/**
 * The cap may have been changed by `collMod` since this process started; the server gives it as it uses it, rounded up
 * to 256 bytes.
 */
export async function readLogStats(store: Store): Promise<LogStats> {
  const stats = await store.command({ collStats: store.names.log });
  const max = Number(stats['max'] ?? 0);
  return {
    sizeBytes: Number(stats['maxSize']),
    maxMessages: max > 0 && max < 2 ** 31 - 1 ? max : undefined,
    reported: { bytes: Number(stats['size']), messages: Number(stats['count']) },
  };
}
