import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import type { Emit } from '../events.js';
import { aborted, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { ResolvedOptions } from '../options.js';
import { readNewest } from '../store/log-bounds.js';
import { openLogCursor, type LogCursor } from '../store/open-log-cursor.js';
import { parkConnection } from '../store/parked-connections.js';
import type { Store } from '../store/store.js';
import { watchPrimary } from '../store/watch-primary.js';

/** What a reader remembers of the watch before it reads a page, to notice what came since. */
export interface WatchMark {
  readonly changes: number;
}

/**
 * Tells the readers of one outbox in this process that something was appended: one tailable cursor for all of them,
 * open while anyone reads. Until it is open, and where no connection of the pool can be spared, it polls the end of
 * the log by index, ever slower while nothing comes.
 *
 * closed -> opening (polling meanwhile) -> open -> (cursor lost, or another primary) -> opening …
 */
export class LogWatch {
  #users = 0;
  #changes = 0;
  /** Rises when the cursor was lost: readers then check that their place is still in the log. */
  #interruptions = 0;
  #newest = 0;
  #waiting = new Set<() => void>();
  #stop: AbortController | undefined;
  #time: mongoose.mongo.Timestamp | undefined;
  #emptyPolls = 0;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly emit: Emit,
  ) {}

  get interruptions(): number {
    return this.#interruptions;
  }

  /** Keeps the watch running until the returned function is called. */
  use(): () => void {
    this.#users += 1;
    if (this.#stop === undefined) {
      this.#stop = new AbortController();
      void this.#run(this.#stop.signal);
    }
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
    };
  }

  mark(): WatchMark {
    return { changes: this.#changes };
  }

  /** Whether the log was seen to go on behind this position; what was seen may still roll back. */
  isBeyond(position: number): boolean {
    return this.#newest > position;
  }

  /**
   * Resolves when something may have been appended since the mark was taken, when the signal aborts, or after `mostMs`.
   * @param mostMs without it, there is no such limit
   */
  async changedSince(mark: WatchMark, signal: AbortSignal, mostMs?: number): Promise<void> {
    if (this.#changes !== mark.changes || signal.aborted) return;
    const abort = aborted(signal);
    const over = new AbortController();
    let wake = (): void => undefined;
    const change = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    try {
      await Promise.race([change, abort.promise, ...(mostMs === undefined ? [] : [pause(mostMs, over.signal)])]);
    } finally {
      over.abort();
      this.#waiting.delete(wake);
      abort.stop();
    }
  }

  /** Lets a reader's session see at least what the watch has seen. */
  advance(session: ClientSession): void {
    if (this.#time !== undefined) session.advanceOperationTime(this.#time);
  }

  /** The next reader starts anew, should the service open its connection again. */
  #giveUp(): void {
    this.#stop = undefined;
    this.#wake();
  }

  #advanced(newest: number): void {
    this.#newest = newest;
    this.#wake();
  }

  /** The position of the newest entry, at majority, of which the readers are told if it is another than before. */
  async #look(): Promise<number> {
    const newest = (await readNewest(this.store))?.position ?? 0;
    // The log was made anew, or what the cursor showed has rolled back.
    if (newest < this.#newest) this.#interruptions += 1;
    if (newest !== this.#newest) this.#advanced(newest);
    return newest;
  }

  #wake(): void {
    this.#changes += 1;
    this.#emptyPolls = 0;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  async #run(stop: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stop.aborted) {
      if (this.store.closedByService) return this.#giveUp();
      const release = parkConnection(this.store);
      if (release === undefined) {
        await this.#poll(stop);
        continue;
      }
      try {
        await this.#tail(stop, release, () => (failures = 0));
      } catch (error) {
        if (stop.aborted) return;
        this.#interruptions += 1;
        // The readers find the same, and end with it.
        if (this.store.closedByService) return this.#giveUp();
        this.emit('tail:reopen', { reason: 'the cursor was lost', error });
        this.#wake();
        await pause(backoffMs(failures++, this.options.pollMinMs, this.options.pollMaxMs), stop);
      }
    }
  }

  /** One life of the cursor: ends when stopped, or when another primary was found; rejects when the cursor fails. */
  async #tail(stop: AbortSignal, release: () => void, onOpen: () => void): Promise<void> {
    const moved = new AbortController();
    const unwatch = watchPrimary(this.store, () => moved.abort());
    let end = (): Promise<void> => Promise.resolve();
    try {
      const session = this.store.session();
      end = () => session.endSession();
      const cursor = openLogCursor(this.store, session, await this.#look());
      let next = cursor.next();
      // A server may let a killed cursor's last request wait to its end; until then it holds the connection.
      const answered = () => next.catch(() => undefined);
      end = () =>
        cursor
          .close()
          .then(answered)
          .then(() => session.endSession());
      await this.#pollUntil(next, stop);
      for (let first = true; !stop.aborted; first = false) {
        const newest = await this.#nextOrSafetyPoll(cursor, next, stop, moved.signal);
        if (newest === 'stopped') break;
        if (newest === 'moved') {
          this.emit('tail:reopen', { reason: 'another primary was elected' });
          this.#interruptions += 1;
          this.#wake();
          return;
        }
        if (first) onOpen();
        this.#time = session.operationTime;
        if (newest !== undefined) this.#advanced(newest);
        next = cursor.next();
      }
      next.catch(() => undefined);
    } finally {
      unwatch();
      void end()
        .catch(() => undefined)
        .finally(release);
    }
  }

  /** The cursor's next answer; a cursor that stays silent while the log grows is stale, and is given up. */
  async #nextOrSafetyPoll(
    cursor: LogCursor,
    next: Promise<number | undefined>,
    stop: AbortSignal,
    moved: AbortSignal,
  ): Promise<number | undefined | 'stopped' | 'moved'> {
    next.catch(() => undefined);
    let missed: number | undefined;
    for (;;) {
      const over = new AbortController();
      const silence = pause(this.options.safetyPollMs, stop, moved, over.signal).then(() => 'silence' as const);
      const answer = await Promise.race([next, silence]).finally(() => over.abort());
      if (answer !== 'silence') return answer;
      if (stop.aborted) return 'stopped';
      if (moved.aborted) return 'moved';
      if (missed !== undefined && missed > this.#newest)
        throw new Error('the tailable cursor was silent while the log grew');
      const newest = (await readNewest(this.store))?.position ?? 0;
      if (newest > this.#newest) {
        missed = newest;
        this.#wake();
      }
    }
  }

  /** Opening a cursor scans the log once; until then readers are woken by polls. */
  async #pollUntil(open: Promise<unknown>, stop: AbortSignal): Promise<void> {
    const opened = new AbortController();
    const end = () => opened.abort();
    open.then(end, end);
    await pause(this.options.pollMinMs, opened.signal, stop);
    while (!opened.signal.aborted && !stop.aborted && !this.store.closedByService)
      await this.#poll(stop, opened.signal);
  }

  async #poll(...signals: AbortSignal[]): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      this.emit('error', { part: 'tail', error });
    }
    await pause(Math.min(this.options.pollMaxMs, this.options.pollMinMs * 1.5 ** this.#emptyPolls++), ...signals);
  }
}
