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
  /** The stream that is being read: kept between waits, since a stream must not be asked twice at once. */
  #reading: ChangeWatch | undefined;
  /** The latest wait; an earlier one is over. */
  #wait: { after: Timestamp; resolve: () => void } | undefined;
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
  changedAfter(after: Timestamp): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wait = { after, resolve };
      if (this.#reading === undefined) void this.#read(stream);
    });
  }

  /** Reads as long as somebody waits: what nobody waits for costs nothing. */
  async #read(stream: ChangeWatch): Promise<void> {
    this.#reading = stream;
    try {
      while (this.#wait !== undefined) {
        const at = await stream.next();
        if (this.#reading !== stream) return;
        if (this.#wait === undefined || !at.greaterThan(this.#wait.after)) continue;
        this.#wait.resolve();
        this.#wait = undefined;
      }
      this.#reading = undefined;
    } catch (error) {
      if (this.#reading !== stream) return;
      this.close();
      this.#blockedUntil = performance.now() + retryMs;
      this.onError(error);
    }
  }

  close(): void {
    this.#wait?.resolve();
    this.#stream?.close();
    this.#release?.();
    this.#stream = this.#release = this.#reading = this.#wait = undefined;
  }
}
