import { anyOf } from '../internal/abort.js';
import type { Disposable, Scheduler, Sink, Stream } from '@most/types';
import { currentTime, newDefaultScheduler } from '@most/scheduler';

export type { Scheduler, Stream };

/** Opens a reader that gives batches and ends when the signal aborts. */
export type OpenBatches<A> = (signal: AbortSignal) => AsyncIterable<readonly A[]>;

/**
 * A cold @most Stream over readers: each run opens one of its own. It never emits from `run` itself; a fault ends it
 * with an error, exactly once; `closed` ends it without one; disposing it stops the reader and emits nothing more.
 * A stream only observes: @most has no back-pressure, so a slow sink does not slow the reader.
 */
export class TailStream<A> implements Stream<A> {
  readonly #runs = new Set<Promise<void>>();

  constructor(
    private readonly open: OpenBatches<A>,
    private readonly closed: AbortSignal,
    private readonly onRun: (run: Promise<void>) => void = () => undefined,
  ) {}

  run(sink: Sink<A>, scheduler: Scheduler): Disposable {
    const disposed = new AbortController();
    const pump = this.#pump(sink, scheduler, disposed.signal).finally(() => this.#runs.delete(pump));
    this.#runs.add(pump);
    this.onRun(pump);
    return { dispose: () => disposed.abort() };
  }

  /** Resolves when the runs under way have ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#runs);
  }

  async #pump(sink: Sink<A>, scheduler: Scheduler, disposed: AbortSignal): Promise<void> {
    const stop = anyOf(disposed, this.closed);
    try {
      await Promise.resolve();
      if (!stop.aborted) {
        for await (const batch of this.open(stop)) {
          for (const message of batch) {
            if (stop.aborted) break;
            sink.event(currentTime(scheduler), message);
          }
        }
      }
      if (!disposed.aborted) sink.end(currentTime(scheduler));
    } catch (error) {
      // What a sink throws is the stream's error too, as with most's own sources.
      if (!disposed.aborted) sink.error(currentTime(scheduler), error as Error);
    }
  }
}

/** A scheduler that all runs of a stream may share. */
export function newScheduler(): Scheduler {
  return newDefaultScheduler();
}
