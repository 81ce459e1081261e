import type { ConsumerInfo } from './handler.js';
import { sequencerLease } from './sequencer/sequencer.js';
import { readLogStatus, readPendingStatus, readSequencerStatus } from './store/read-status.js';
import type { Store } from './store/store.js';

/** What `status` tells. Positions are 0 when nothing was ever appended. */
export interface OutboxStatus {
  /** Committed messages that are not in the log yet, and the age in milliseconds of the oldest. */
  pending: { count: number; oldestMs: number | null };
  /**
   * The log: its first and last position, messages and bytes between them, its cap, and the consumer that keeps pending
   * messages out of it by not passing what would have to be overwritten for them; null while it flows.
   */
  log: {
    first: number;
    last: number;
    entries: number;
    bytes: number;
    sizeBytes: number;
    maxMessages: number | null;
    heldBy: string | null;
  };
  /** The elected process, or null where none takes part: pending then only grows. */
  sequencer: { owner: string | null; epoch: number; expiresInMs: number | null };
  /** Named consumers, as `consumers.list()` gives them. */
  consumers: ConsumerInfo[];
}

/** In a few indexed queries. */
export async function readStatus(store: Store, consumers: () => Promise<ConsumerInfo[]>): Promise<OutboxStatus> {
  const [pending, log, sequencer, infos] = await Promise.all([
    readPendingStatus(store),
    readLogStatus(store),
    readSequencerStatus(store, sequencerLease),
    consumers(),
  ]);
  return { pending, log, sequencer, consumers: infos };
}
