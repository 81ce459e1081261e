import type { HeldLease } from '../internal/held-lease.js';
import { pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import { Stopwatch } from '../internal/stopwatch.js';
import type { ResolvedOptions } from '../options.js';
import { acquireLease } from '../store/lease.js';
import type { Document, Store } from '../store/store.js';
import { lead, type LeaseHolder } from './lead.js';
import { pollsPerLease, type Standby } from './standby.js';

/** What a campaign does with the lease, and what it tells. */
export interface Candidate extends LeaseHolder {
  /** Called with every answer about the lease, held or not; what it throws ends the campaign. */
  seen?(lease: Document): void;
  /**
   * Acts while the lease is held; the lease is given back when it returns.
   * @returns for how many milliseconds the lease is left to others before it is asked for again
   */
  lead(lease: HeldLease, document: Document): Promise<number | void>;
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
        const restMs = await lead(store, candidate, answer, sent, (lease) => {
          candidate.seen?.(answer.lease);
          return candidate.lead(lease, answer.lease);
        });
        await pause(restMs ?? 0, stop);
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
