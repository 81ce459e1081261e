import type { ClientSession } from 'mongoose';
import type { OutboxError } from '../errors.js';
import type { Emit } from '../events.js';
import { abandonable, abandoned, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { Cursor } from '../message.js';
import type { ResolvedOptions } from '../options.js';
import { readNewest, readNewestLinearizable, readOldest, type LogPoint } from '../store/log-bounds.js';
import { readLogPage, type StoredEntry } from '../store/read-log-page.js';
import type { Store } from '../store/store.js';
import { checkPage, pageSize, type EntryBefore } from './check-page.js';
import { findStart, linearizableMs, noLog, positionLost } from './find-start.js';
import type { LogWatch } from './log-watch.js';
import { decideResume } from '../internal/resume-decision.js';

/**
 * Reads the log from a cursor on, page by page: by index at majority, then woken by the watch. It goes on by itself
 * after errors and elections, and ends with `POSITION_LOST` rather than skip anything.
 *
 * starting (cursor -> position) -> catching up -> live (waits for the watch) -> ended
 */
export class LogReader {
  #position = 0;
  /** The entry at the position, once one was read. */
  #last: EntryBefore | undefined;
  #session: ClientSession;

  constructor(
    private readonly store: Store,
    private readonly watch: LogWatch,
    private readonly options: ResolvedOptions,
    private readonly emit: Emit,
  ) {
    this.#session = store.session();
  }

  /** Pages of entries, the genesis entry left out. Ends when the signal aborts; without `live`, at the end of the log. */
  async *pages(cursor: Cursor, live: boolean, signal: AbortSignal): AsyncGenerator<StoredEntry[], void, undefined> {
    const release = live ? this.watch.use() : undefined;
    try {
      // A log that wraps may overtake a reader between the choice of its start and its first page: "beginning" then starts anew.
      let start = await this.#untilItWorks(() => this.#start(cursor), signal);
      let verifyPlace = false;
      let known = this.watch.interruptions;
      let endForNow: number | undefined;
      let looksInVain = 0;
      if (!live) endForNow = (await this.#untilItWorks(() => this.#newest(), signal))?.position;
      while (!signal.aborted && start !== undefined) {
        const mark = this.watch.mark();
        if (live && known !== this.watch.interruptions) {
          known = this.watch.interruptions;
          verifyPlace = true;
        }
        if (verifyPlace && (await this.#untilItWorks(() => this.#verifyPlace(), signal)) === undefined) return;
        verifyPlace = false;
        const page = await this.#untilItWorks(() => this.#page(), signal);
        if (page === undefined) return;
        if (page === 'lost') {
          if (cursor !== 'beginning' || start.read) {
            const error = await this.#untilItWorks(() => this.#lost(), signal);
            if (error !== undefined) throw error;
            return;
          }
          start = await this.#untilItWorks(() => this.#start(cursor), signal);
          continue;
        }
        const last = page.entries.at(-1);
        if (last !== undefined) {
          this.#position = last._id;
          this.#last = { bytes: last.bytes, $recordId: last.$recordId };
          start.read = true;
          const messages = page.entries.filter((entry) => entry.type !== undefined);
          if (messages.length > 0) yield messages;
        }
        if (!live && (page.atEnd || this.#position >= (endForNow ?? 0))) return;
        if (!live || !page.atEnd) continue;
        // An entry can be seen before the server's time has come to it, and then a read that waits for that time misses
        // it. Nothing else would wake this reader before the next append.
        looksInVain = this.watch.isBeyond(this.#position) ? looksInVain + 1 : 0;
        const { pollMinMs, safetyPollMs } = this.options;
        await this.watch.changedSince(
          mark,
          signal,
          looksInVain === 0 ? undefined : backoffMs(looksInVain - 1, pollMinMs, safetyPollMs),
        );
      }
    } finally {
      release?.();
      void this.#session.endSession().catch(() => undefined);
    }
  }

  async #page(): Promise<{ entries: StoredEntry[]; atEnd: boolean } | 'lost'> {
    this.watch.advance(this.#session);
    const entries = await readLogPage(this.store, this.#session, this.#position, pageSize);
    const verdict = checkPage(this.#position, this.#last, entries);
    if (verdict === 'lost') return 'lost';
    if (verdict === 'empty') return { entries, atEnd: true };
    if (verdict.verdict === 'unsure') {
      const oldest = await readOldest(this.store);
      if (oldest === undefined || (entries[0] as StoredEntry)._id < oldest.position) return 'lost';
    }
    return { entries, atEnd: verdict.atEnd };
  }

  async #start(cursor: Cursor): Promise<{ read: boolean }> {
    this.#position = await findStart(this.store, cursor);
    return { read: false };
  }

  #newest(): Promise<LogPoint | undefined> {
    return readNewest(this.store);
  }

  /** After an interruption: a log that was made anew would hold nothing beyond the position for a long time. */
  async #verifyPlace(): Promise<true> {
    let newest = await readNewest(this.store);
    if ((newest?.position ?? -1) < this.#position) newest = await readNewestLinearizable(this.store, linearizableMs);
    if (newest === undefined) throw noLog(this.store);
    if (newest.position < this.#position) throw positionLost(this.#position, 0, newest.position);
    // Another server has record ids of its own.
    this.#last = undefined;
    return true;
  }

  async #lost(): Promise<OutboxError> {
    const [oldest, newest] = await Promise.all([readOldest(this.store), readNewest(this.store)]);
    return positionLost(this.#position, oldest?.position ?? 0, newest?.position ?? 0);
  }

  /** Tries until it works, is hopeless, or the signal aborts (then undefined). */
  async #untilItWorks<T>(step: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const outcome = await abandonable(step(), signal);
        return outcome === abandoned ? undefined : outcome;
      } catch (error) {
        if (this.store.closedByService) throw this.store.closedError(error);
        if (decideResume(error) === 'fail') throw error;
        this.emit('error', { part: 'tail', error });
        await pause(backoffMs(failures, this.options.pollMinMs, this.options.safetyPollMs), signal);
        this.#renewSession();
      }
    }
    return undefined;
  }

  /** A session whose command was lost may still be in use by it. */
  #renewSession(): void {
    const { operationTime } = this.#session;
    void this.#session.endSession().catch(() => undefined);
    this.#session = this.store.session();
    if (operationTime !== undefined) this.#session.advanceOperationTime(operationTime);
  }
}
