import type mongoose from 'mongoose';
import { pause } from '../internal/abort.js';
import type { ResolvedOptions } from '../options.js';
import { watchPending } from '../store/change-watch.js';
import type { Store } from '../store/store.js';
import { ChangeWake } from '../election/change-wake.js';

/** After so many messages moved since the last wait, reading the stream's backlog costs more than opening a new one. */
const staleAfterMessages = 200;

/**
 * Tells an idle sequencer that there may be something in pending: by a change stream, with a slow safety poll; where
 * change streams are not to be had, by polling, ever slower while nothing comes.
 */
export class PendingWake {
  readonly #changes: ChangeWake;
  #movedSinceWait = 0;
  #emptyPolls = 0;

  constructor(
    store: Store,
    private readonly options: ResolvedOptions,
    onError: (error: unknown) => void,
  ) {
    this.#changes = new ChangeWake(store, (since) => watchPending(store, since), onError);
  }

  moved(messages: number): void {
    this.#movedSinceWait += messages;
    this.#emptyPolls = 0;
  }

  /** Resolves when pending should be read again: it was empty at `emptyAt`. Also when a signal aborts. */
  async wait(emptyAt: mongoose.mongo.Timestamp, ...signals: AbortSignal[]): Promise<void> {
    // Whoever comes here after the lease was lost would open a stream that nobody closes.
    if (signals.some((signal) => signal.aborted)) return;
    if (this.#movedSinceWait > staleAfterMessages) this.#changes.close();
    this.#movedSinceWait = 0;
    const over = new AbortController();
    try {
      // Opened at the moment of the empty read: the stream is lazy, and a put between the two would wait for the poll.
      if (this.#changes.open(emptyAt)) {
        await Promise.race([
          this.#changes.changedAfter(emptyAt, over.signal),
          pause(this.options.safetyPollMs, ...signals, over.signal),
        ]);
      } else {
        await pause(Math.min(this.options.pollMaxMs, this.options.pollMinMs * 1.5 ** this.#emptyPolls++), ...signals);
      }
    } finally {
      over.abort();
    }
  }

  close(): void {
    this.#changes.close();
  }
}
