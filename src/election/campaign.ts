import { HeldLease } from '../internal/held-lease.js';
import { pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import { Stopwatch } from '../internal/stopwatch.js';
import type { ResolvedOptions } from '../options.js';
import { acquireLease, releaseLease, renewLease, renewedAt, type LeaseClaim } from '../store/lease.js';
import type { Document, Store } from '../store/store.js';
import { pollsPerLease, type Standby } from './standby.js';

/** What a campaign does with the lease, and what it tells. */
export interface Candidate {
  claim: LeaseClaim;
  /** Called with every answer about the lease, held or not; what it throws ends the campaign. */
  seen?(lease: Document): void;
  /**
   * Acts while the lease is held; the lease is given back when it returns.
   * @returns for how many milliseconds the lease is left to others before it is asked for again
   */
  lead(lease: HeldLease, document: Document): Promise<number | void>;
  /** What each renewal leaves in the lease document. */
  report?(): Document;
  /** What giving the lease back leaves there. */
  lastReport?(): Document;
  /** Called with the document after each renewal. */
  renewed?(lease: Document): void;
  /** An error that is tried again after a while. `false` ends the campaign with it. */
  failed(error: unknown): boolean;
}

/**
 * Takes part in the election for a lease until `stop` aborts: acquires it when it is free, leads, gives it back, stands
 * by while another holds it.
 *
 * standing by <-> leading -> over
 *
 * @param standby without one, it polls: for who stays only for a moment
 */
export async function campaign(
  store: Store,
  options: ResolvedOptions,
  standby: Standby | undefined,
  candidate: Candidate,
  stop: AbortSignal,
): Promise<void> {
  const { claim } = candidate;
  let failures = 0;
  let leaveStandby: (() => void) | undefined;
  try {
    while (!stop.aborted) {
      const sent = new Stopwatch();
      try {
        const answer = await acquireLease(store, claim);
        failures = 0;
        if (!answer.held) {
          candidate.seen?.(answer.lease);
          leaveStandby ??= standby?.use();
          if (standby !== undefined) await standby.wait(claim.id, answer.seenAt, answer.expiresInMs, stop);
          else await pause(Math.max(options.pollMinMs, claim.leaseMs / pollsPerLease), stop);
          continue;
        }
        leaveStandby?.();
        leaveStandby = undefined;
        const lease = new HeldLease(answer.epoch, claim.leaseMs, sent, answer.serverNow, async () => {
          const renewed = await renewLease(store, claim, answer.epoch, candidate.report?.());
          if (renewed === undefined) return undefined;
          candidate.renewed?.(renewed);
          return renewedAt(renewed);
        });
        await pause((await lead(store, candidate, lease, answer.lease)) ?? 0, stop);
      } catch (error) {
        if (stop.aborted) break;
        // Nothing comes of trying on where the connection is closed, and waiting would keep the process alive.
        if (!candidate.failed(error)) throw error;
        if (store.closedByService) break;
        await pause(backoffMs(failures++, options.pollMinMs, options.leaseMs), stop);
      }
    }
  } finally {
    leaveStandby?.();
  }
}

async function lead(store: Store, candidate: Candidate, lease: HeldLease, seen: Document): Promise<number | void> {
  try {
    candidate.seen?.(seen);
    return await candidate.lead(lease, seen);
  } finally {
    lease.finish('closed');
    // Also when it expired: by then this process does nothing with it any more, and nobody else need wait.
    if (lease.end !== 'taken' && lease.end !== 'abandoned')
      await releaseLease(store, candidate.claim, lease.epoch, candidate.lastReport?.()).catch(() => undefined);
  }
}
