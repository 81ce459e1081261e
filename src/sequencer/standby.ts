import type mongoose from 'mongoose';
import { pause } from '../internal/abort.js';
import type { ResolvedOptions } from '../options.js';
import { watchReleases } from '../store/change-watch.js';
import type { Store } from '../store/store.js';
import { ChangeWake } from './change-wake.js';

/** Polling of the lease where no change stream can be had: at most this many times in the time of a lease. */
const pollsPerLease = 20;

/**
 * Waits until another's lease may be free: at once when it was given back (a change stream on its document), else when
 * it runs out.
 */
export class Standby {
  readonly #changes: ChangeWake;

  constructor(
    store: Store,
    leaseId: string,
    private readonly options: ResolvedOptions,
    onError: (error: unknown) => void,
  ) {
    this.#changes = new ChangeWake(store, (since) => watchReleases(store, leaseId, since), onError);
  }

  /** @param seenAt when the lease was seen held, for `expiresInMs` more */
  async wait(seenAt: mongoose.mongo.Timestamp, expiresInMs: number, stop: AbortSignal): Promise<void> {
    const over = new AbortController();
    const expired = pause(expiresInMs + 1, stop, over.signal);
    try {
      if (this.#changes.open(seenAt)) await Promise.race([expired, this.#changes.changedAfter(seenAt)]);
      else
        await Promise.race([
          expired,
          pause(Math.max(this.options.pollMinMs, this.options.leaseMs / pollsPerLease), stop, over.signal),
        ]);
    } finally {
      over.abort();
    }
  }

  close(): void {
    this.#changes.close();
  }
}
