import type mongoose from 'mongoose';
import type { ChangeWatch } from '../store/change-watch.js';
import { parkConnection } from '../store/parked-connections.js';
import type { Store } from '../store/store.js';

type Timestamp = mongoose.mongo.Timestamp;

/** How long, in milliseconds, a failed change stream is left alone before it is tried again. */
const retryMs = 30_000;

/** Somebody who waits for a change later than `after`, of the document `id` where one is named. */
interface Waiter {
  after: Timestamp;
  id: string | undefined;
  resolve: () => void;
}

/**
 * A change stream used as a wake-up, opened on demand, for any number of waiters. It is closed on failure (which is
 * reported, since only latency would show it) and when no connection of the pool can be spared; the waiters then poll.
 */
export class ChangeWake {
  #stream: ChangeWatch | undefined;
  #release: (() => void) | undefined;
  /** The stream that is being read: kept between waits, since a stream must not be asked twice at once. */
  #reading: ChangeWatch | undefined;
  readonly #waiters = new Set<Waiter>();
  /** The latest change seen of each document: it may have been read for somebody else. */
  readonly #latest = new Map<string, Timestamp>();
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

  /**
   * Resolves at the first change later than `after` (of the document `id`, where one is named), when the stream has
   * failed, or when the signal aborts.
   */
  changedAfter(after: Timestamp, signal: AbortSignal, id?: string): Promise<void> {
    const stream = this.#stream;
    const latest = id === undefined ? undefined : this.#latest.get(id);
    if (stream === undefined || signal.aborted || latest?.greaterThan(after)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter: Waiter = { after, id, resolve: () => end() };
      const end = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end);
      this.#waiters.add(waiter);
      if (this.#reading === undefined) void this.#read(stream);
    });
  }

  /** Reads as long as somebody waits: what nobody waits for costs nothing. */
  async #read(stream: ChangeWatch): Promise<void> {
    this.#reading = stream;
    try {
      while (this.#waiters.size > 0) {
        const { at, id } = await stream.next();
        if (this.#reading !== stream) return;
        if (id !== undefined) this.#latest.set(id, at);
        for (const waiter of [...this.#waiters])
          if (at.greaterThan(waiter.after) && (waiter.id === undefined || waiter.id === id)) waiter.resolve();
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
    for (const waiter of [...this.#waiters]) waiter.resolve();
    this.#stream?.close();
    this.#release?.();
    this.#latest.clear();
    this.#stream = this.#release = this.#reading = undefined;
  }
}
