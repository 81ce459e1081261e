import { OutboxError } from '../errors.js';
import type { Emit } from '../events.js';
import { anyOf } from '../internal/abort.js';
import { checkCursor } from '../internal/check-cursor.js';
import { checkBoolean, checkKnown, checkSignal, checkTypes } from '../internal/check-options.js';
import type { Cursor, TailOptions } from '../message.js';
import type { ResolvedOptions } from '../options.js';
import type { Reviver } from '../schema/revive.js';
import type { StoredEntry } from '../store/read-log-page.js';
import type { Store } from '../store/store.js';
import { toDelivered } from '../store/delivered.js';
import { LogReader } from './log-reader.js';
import { LogWatch } from './log-watch.js';
import { MessageIterator } from './message-iterator.js';
import { TailStream, newScheduler, type Scheduler, type Stream } from './tail-stream.js';

/** What reading needs of the outbox. */
export interface TailHost {
  /** Resolves when the collections are there. */
  ready(): Promise<unknown>;
  /** A live reader makes its process take part in the election. */
  takePart(): void;
}

const optionNames = ['types', 'signal', 'live'];

/** All readers of one outbox in this process. */
export class Tails {
  readonly #closed = new AbortController();
  /** Runs of streams, until they have ended. */
  readonly #runs = new Set<Promise<void>>();
  readonly #watch: LogWatch;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly reviver: Reviver,
    private readonly emit: Emit,
    private readonly host: TailHost,
  ) {
    this.#watch = new LogWatch(store, options, emit);
  }

  tail<D>(cursor: Cursor, options: TailOptions, known: readonly string[]): [Stream<D>, Scheduler, () => Promise<void>] {
    checkCursor(cursor);
    const types = checkTailOptions(options, known, ['types', 'signal']);
    const closed = new AbortController();
    const ends = anyOf(closed.signal, this.#closed.signal, options.signal);
    const stream = new TailStream<D>(
      (signal) => this.#batches<D>(cursor, true, types, signal),
      ends,
      (run) => {
        this.#runs.add(run);
        const done = () => this.#runs.delete(run);
        run.then(done, done);
      },
    );
    return [
      stream,
      newScheduler(),
      () => {
        closed.abort();
        return stream.ended();
      },
    ];
  }

  messages<D>(cursor: Cursor, options: TailOptions & { live?: boolean }, known: readonly string[]): AsyncIterable<D> {
    checkCursor(cursor);
    const types = checkTailOptions(options, known, optionNames);
    const live = options.live ?? true;
    const ends = anyOf(this.#closed.signal, options.signal);
    return {
      [Symbol.asyncIterator]: () =>
        new MessageIterator<D>((signal) => this.#batches<D>(cursor, live, types, signal), ends),
    };
  }

  /** Pages of entries after a position, live or up to the end of the log. */
  pages(position: number, live: boolean, signal: AbortSignal): AsyncGenerator<StoredEntry[], void, undefined> {
    return new LogReader(this.store, this.#watch, this.options, this.emit).pages(position, live, signal);
  }

  /** Ends all readers without an error; an iteration that is suspended in the service's own loop is not waited for. */
  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.allSettled(this.#runs);
  }

  async *#batches<D>(
    cursor: Cursor,
    live: boolean,
    types: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<D[], void, undefined> {
    try {
      await this.host.ready();
    } catch (error) {
      // A close during init ends readers as any close does; it comes to them after the consumers.
      if (signal.aborted || (error instanceof OutboxError && error.code === 'CLOSED')) return;
      throw error;
    }
    if (signal.aborted) return;
    if (live) this.host.takePart();
    const from = cursor instanceof Date ? cursor.getTime() : undefined;
    for await (const page of new LogReader(this.store, this.#watch, this.options, this.emit).pages(
      cursor,
      live,
      signal,
    )) {
      const wanted = page.filter(
        (entry) =>
          (types === undefined || types.has(entry.type as string)) &&
          (from === undefined || entry.created.getTime() >= from),
      );
      if (wanted.length > 0) yield wanted.map((entry) => toDelivered<D>(entry, this.reviver));
    }
  }
}

function checkTailOptions(
  options: unknown,
  known: readonly string[],
  names: readonly string[],
): ReadonlySet<string> | undefined {
  checkKnown(options, names);
  const { types, signal, live } = options as { types?: unknown; signal?: unknown; live?: unknown };
  checkSignal(signal);
  checkBoolean('live', live);
  return checkTypes(types, known);
}
