import { HeldLease } from '../internal/held-lease.js';
import type { Stopwatch } from '../internal/stopwatch.js';
import { releaseLease, renewLease, renewedAt, type LeaseAnswer, type LeaseClaim } from '../store/lease.js';
import type { Document, Store } from '../store/store.js';

/** Who holds a lease, and what it tells in its document. */
export interface LeaseHolder {
  claim: LeaseClaim;
  /** What each renewal leaves in the lease document. */
  report?(): Document;
  /** What giving the lease back leaves there. */
  lastReport?(): Document;
  /** Called with the document after each renewal. */
  renewed?(lease: Document): void;
}

/**
 * Keeps a lease that was just acquired while `work` runs, and gives it back then.
 * @param sent started before the acquisition was sent
 */
export async function lead<T>(
  store: Store,
  holder: LeaseHolder,
  answer: Extract<LeaseAnswer, { held: true }>,
  sent: Stopwatch,
  work: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  const { claim } = holder;
  const { epoch, serverNow } = answer;
  const lease = new HeldLease(epoch, claim.leaseMs, sent, serverNow, async () => {
    const renewed = await renewLease(store, claim, epoch, holder.report?.());
    if (renewed === undefined) return undefined;
    holder.renewed?.(renewed);
    return renewedAt(renewed);
  });
  try {
    return await work(lease);
  } finally {
    lease.finish('closed');
    // Also when it expired: by then this process does nothing with it any more, and nobody else need wait.
    if (lease.end !== 'taken' && lease.end !== 'abandoned')
      await releaseLease(store, claim, epoch, holder.lastReport?.()).catch(() => undefined);
  }
}
