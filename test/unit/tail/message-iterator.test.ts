import { describe, expect, it } from 'vitest';

import { MessageIterator } from '../../../src/tail/message-iterator.js';
import { flush, isSettled } from '../../support/settled.js';

const done = { done: true, value: undefined };
const item = (value: number) => ({ done: false, value });

/** A reader of these batches that then waits to be stopped, as a live one does; `pulled` counts what it was asked for. */
function liveReader(...batches: number[][]) {
  const state = { opened: 0, pulled: 0, finished: 0, signal: undefined as AbortSignal | undefined };
  const open = async function* (signal: AbortSignal) {
    state.opened += 1;
    state.signal = signal;
    try {
      for (const batch of batches) {
        state.pulled += 1;
        yield batch;
      }
      state.pulled += 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    } finally {
      state.finished += 1;
    }
  };
  return { state, open };
}

const neverClosed = () => new AbortController().signal;

describe('next', () => {
  it('opens the reader at the first call, not before', async () => {
    const { state, open } = liveReader([1]);
    const iterator = new MessageIterator(open, neverClosed());
    await flush();
    expect(state.opened).toBe(0);
    await iterator.next();
    expect(state.opened).toBe(1);
  });

  it('takes from the reader only when all it gave has been asked for', async () => {
    const { state, open } = liveReader([1, 2], [3], [4]);
    const iterator = new MessageIterator(open, neverClosed());
    await iterator.next();
    await flush();
    expect(state.pulled).toBe(1);
    await iterator.next();
    await flush();
    expect(state.pulled).toBe(1);
    await iterator.next();
    expect(state.pulled).toBe(2);
  });

  it('answers overlapping calls one after another, in their order', async () => {
    const { open } = liveReader([1, 2], [3]);
    const iterator = new MessageIterator(open, neverClosed());
    expect(await Promise.all([iterator.next(), iterator.next(), iterator.next()])).toEqual([item(1), item(2), item(3)]);
  });

  it('passes an empty batch over', async () => {
    const { open } = liveReader([], [], [1]);
    expect(await new MessageIterator(open, neverClosed()).next()).toEqual(item(1));
  });

  it('is done when the reader is, and stays so', async () => {
    const iterator = new MessageIterator<number>(async function* () {
      yield [1];
      await flush();
    }, neverClosed());
    expect(await iterator.next()).toEqual(item(1));
    expect(await iterator.next()).toEqual(done);
    expect(await iterator.next()).toEqual(done);
  });

  it('rejects with the fault of the reader once, after what came before it, and is done then', async () => {
    const fault = new Error('fault');
    const iterator = new MessageIterator<number>(async function* () {
      yield [1];
      await flush();
      throw fault;
    }, neverClosed());
    const calls = [iterator.next(), iterator.next(), iterator.next()];
    expect(await Promise.allSettled(calls)).toEqual([
      { status: 'fulfilled', value: item(1) },
      { status: 'rejected', reason: fault },
      { status: 'fulfilled', value: done },
    ]);
  });
});

describe('return', () => {
  it('in the middle of a batch stops the reader; what is left of the batch is not given', async () => {
    const { state, open } = liveReader([1, 2, 3]);
    const iterator = new MessageIterator(open, neverClosed());
    await iterator.next();
    expect(await iterator.return()).toEqual(done);
    await flush();
    expect(state.finished).toBe(1);
    expect(await iterator.next()).toEqual(done);
  });

  it('ends calls that wait, without an error', async () => {
    const { state, open } = liveReader();
    const iterator = new MessageIterator(open, neverClosed());
    const waiting = [iterator.next(), iterator.next()];
    await flush();
    await iterator.return();
    expect(await Promise.all(waiting)).toEqual([done, done]);
    expect(state.finished).toBe(1);
  });

  it('before the first call opens nothing', async () => {
    const { state, open } = liveReader([1]);
    const iterator = new MessageIterator(open, neverClosed());
    await iterator.return();
    await iterator.return();
    expect(await iterator.next()).toEqual(done);
    expect(state.opened).toBe(0);
  });

  it('does not wait for a reader that hangs', async () => {
    const iterator = new MessageIterator<number>(async function* () {
      await new Promise(() => undefined);
      yield [1];
    }, neverClosed());
    const waiting = iterator.next();
    await flush();
    expect(await isSettled(iterator.return())).toBe(true);
    expect(await waiting).toEqual(done);
  });

  it('is what leaving a loop does', async () => {
    const { state, open } = liveReader([1, 2, 3]);
    const iterable = { [Symbol.asyncIterator]: () => new MessageIterator(open, neverClosed()) };
    for await (const message of iterable) {
      if (message === 2) break;
    }
    await flush();
    expect(state.finished).toBe(1);
  });
});

describe('close', () => {
  it('ends a call that waits, without an error, and the reader', async () => {
    const closed = new AbortController();
    const { state, open } = liveReader([1]);
    const iterator = new MessageIterator(open, closed.signal);
    await iterator.next();
    const waiting = iterator.next();
    await flush();
    closed.abort();
    expect(await waiting).toEqual(done);
    await flush();
    expect(state.finished).toBe(1);
  });

  it('stops the reader also while nobody asks: a loop may be suspended in its body', async () => {
    const closed = new AbortController();
    const { state, open } = liveReader([1, 2], [3]);
    const iterator = new MessageIterator(open, closed.signal);
    await iterator.next();
    closed.abort();
    await flush();
    expect(state.finished).toBe(1);
    expect(await iterator.next()).toEqual(done);
  });
});
