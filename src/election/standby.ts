import type mongoose from 'mongoose';
import { anyOf, pause } from '../internal/abort.js';
import type { ResolvedOptions } from '../options.js';
import { watchReleases } from '../store/change-watch.js';
import type { Store } from '../store/store.js';
import { ChangeWake } from './change-wake.js';

/** Polling of a lease where no change stream can be had: at most this many times in the time of a lease. */
export const pollsPerLease = 20;

/**
 * Waits until another's lease may be free: at once when it was given back, else when it runs out. All who stand by in
 * one outbox and process share one change stream, open while anyone does.
 */
export class Standby {
  readonly #changes: ChangeWake;
  #users = 0;

  constructor(
    store: Store,
    private readonly options: ResolvedOptions,
    onError: (error: unknown) => void,
  ) {
    this.#changes = new ChangeWake(store, (since) => watchReleases(store, since), onError);
  }

  /** Keeps the change stream open until the returned function is called. */
  use(): () => void {
    this.#users += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#users -= 1;
      if (this.#users === 0) this.#changes.close();
    };
  }

  /** @param seenAt when the lease `id` was seen held, for `expiresInMs` more */
  async wait(id: string, seenAt: mongoose.mongo.Timestamp, expiresInMs: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted) return;
    const over = new AbortController();
    const ends = anyOf(stop, over.signal);
    const expired = pause(expiresInMs + 1, ends);
    try {
      if (this.#changes.open(seenAt)) await Promise.race([expired, this.#changes.changedAfter(seenAt, ends, id)]);
      else
        await Promise.race([
          expired,
          pause(Math.max(this.options.pollMinMs, this.options.leaseMs / pollsPerLease), ends),
        ]);
    } finally {
      over.abort();
    }
  }
}
