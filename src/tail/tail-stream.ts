import type { Disposable, Scheduler, Sink, Stream } from '@most/types';
import { currentTime } from '@most/scheduler';

/** Opens a reader that gives batches and ends when the signal aborts. */
export type OpenBatches<A> = (signal: AbortSignal) => AsyncIterable<readonly A[]>;

/**
 * A cold @most Stream over readers: each run opens one of its own. It never emits from `run` itself; a fault ends it
 * with an error, exactly once; `closed` ends it without one; disposing it stops the reader and emits nothing more.
 * A stream only observes: @most has no back-pressure, so a slow sink does not slow the reader.
 */
export class TailStream<A> implements Stream<A> {
  constructor(
    private readonly open: OpenBatches<A>,
    private readonly closed: AbortSignal,
  ) {}

  run(sink: Sink<A>, scheduler: Scheduler): Disposable {
    const disposed = new AbortController();
    void this.#pump(sink, scheduler, disposed.signal);
    return { dispose: () => disposed.abort() };
  }

  async #pump(sink: Sink<A>, scheduler: Scheduler, disposed: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([disposed, this.closed]);
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
    } catch (error) {
      // What a sink throws is the stream's error too, as with most's own sources.
      if (!disposed.aborted) sink.error(currentTime(scheduler), error as Error);
      return;
    }
    if (!disposed.aborted) sink.end(currentTime(scheduler));
  }
}
