import type mongoose from 'mongoose';
import type { ChangeWatch } from '../store/change-watch.js';
import { parkConnection } from '../store/parked-connections.js';
import type { Store } from '../store/store.js';

type Timestamp = mongoose.mongo.Timestamp;

/** How long, in milliseconds, a failed change stream is left alone before it is tried again. */
const retryMs = 30_000;

/**
 * A change stream used as a wake-up, opened on demand. It is closed on failure (which is reported, since only latency
 * would show it) and when no connection of the pool can be spared; the owner then polls.
 */
export class ChangeWake {
  #stream: ChangeWatch | undefined;
  #release: (() => void) | undefined;
  /** The change under way; kept between waits, since a stream must not be asked twice at once. */
  #next: Promise<Timestamp> | undefined;
  #blockedUntil = 0;

  constructor(
    private readonly store: Store,
    private readonly watch: (since: Timestamp) => ChangeWatch,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Opens the stream at `since` if it is not open. @returns whether there is one */
  open(since: Timestamp): boolean {
    if (this.#stream !== undefined) return true;
    if (performance.now() < this.#blockedUntil) return false;
    this.#release = parkConnection(this.store);
    if (this.#release === undefined) return false;
    this.#stream = this.watch(since);
    return true;
  }

  /** Resolves at the first change later than `after`, or when the stream has failed; earlier changes are passed over. */
  async changedAfter(after: Timestamp): Promise<void> {
    const stream = this.#stream;
    try {
      while (stream !== undefined && this.#stream === stream) {
        this.#next ??= stream.next();
        const at = await this.#next;
        if (this.#stream !== stream) return;
        this.#next = undefined;
        if (at.greaterThan(after)) return;
      }
    } catch (error) {
      if (this.#stream !== stream) return;
      this.close();
      this.#blockedUntil = performance.now() + retryMs;
      this.onError(error);
    }
  }

  close(): void {
    this.#next?.catch(() => undefined);
    this.#stream?.close();
    this.#release?.();
    this.#stream = this.#release = this.#next = undefined;
  }
}
