import { abandonable, abandoned, anyOf } from '../internal/abort.js';
import type { OpenBatches } from './tail-stream.js';

/** One pass over the messages, taken one by one; the reader is opened at the first `next` and stopped by `return`. */
export class MessageIterator<A> implements AsyncIterator<A, undefined, undefined> {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #open: OpenBatches<A>;
  #batches: AsyncIterator<readonly A[]> | undefined;
  #batch: readonly A[] = [];
  #index = 0;
  /** Calls to `next` that overlap are answered one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(open: OpenBatches<A>, closed: AbortSignal) {
    this.#open = open;
    this.#signal = anyOf(this.#stop.signal, closed);
    // The reader may be waiting for the next call, which will not come.
    this.#signal.addEventListener('abort', () => void this.#batches?.return?.().catch(() => undefined), { once: true });
  }

  next(): Promise<IteratorResult<A, undefined>> {
    const answer = this.#turn.then(() => this.#take());
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  return(): Promise<IteratorResult<A, undefined>> {
    this.#stop.abort();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #take(): Promise<IteratorResult<A, undefined>> {
    while (!this.#signal.aborted) {
      if (this.#index < this.#batch.length) return { done: false, value: this.#batch[this.#index++] as A };
      this.#batches ??= this.#open(this.#signal)[Symbol.asyncIterator]();
      const next = await abandonable(this.#batches.next(), this.#signal);
      if (next === abandoned || next.done === true) break;
      this.#batch = next.value;
      this.#index = 0;
    }
    this.#stop.abort();
    this.#batch = [];
    return { done: true, value: undefined };
  }
}
