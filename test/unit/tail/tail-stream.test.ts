import { runEffects, tap } from '@most/core';
import type { Sink } from '@most/types';
import { describe, expect, it } from 'vitest';

import { TailStream, type OpenBatches } from '../../../src/tail/tail-stream.js';
import { flush } from '../../support/settled.js';
import { virtualScheduler } from '../../support/virtual-scheduler.js';

/** Readers that give the batches which the test pushes, until they are stopped. */
class FakeReaders {
  readonly opened: {
    signal: AbortSignal;
    finished: boolean;
    push(batch: number[]): Promise<void>;
    fail(error: Error): Promise<void>;
  }[] = [];

  readonly open: OpenBatches<number> = (signal) => {
    const waiting: ((step: () => number[]) => void)[] = [];
    const steps: (() => number[])[] = [];
    const give = (step: () => number[]) => {
      const next = waiting.shift();
      if (next) next(step);
      else steps.push(step);
      return flush();
    };
    const reader = {
      signal,
      finished: false,
      push: (batch: number[]) => give(() => batch),
      fail: (error: Error) =>
        give(() => {
          throw error;
        }),
    };
    this.opened.push(reader);
    return (async function* () {
      try {
        while (!signal.aborted) {
          const step = steps.shift() ?? (await nextStep(waiting, signal));
          if (step === undefined) return;
          yield step();
        }
      } finally {
        reader.finished = true;
      }
    })();
  };
}

function nextStep(waiting: ((step: () => number[]) => void)[], signal: AbortSignal) {
  return new Promise<(() => number[]) | undefined>((resolve) => {
    waiting.push(resolve);
    signal.addEventListener('abort', () => resolve(undefined));
  });
}

/** What a sink was told, in order: [time, what]. */
type Told = [number, unknown];

function recorder(onEvent: (value: number) => void = () => undefined) {
  const told: Told[] = [];
  const sink: Sink<number> = {
    event: (time, value) => {
      told.push([time, value]);
      onEvent(value);
    },
    error: (time, error) => told.push([time, error]),
    end: (time) => told.push([time, 'end']),
  };
  return { told, sink };
}

function setUp() {
  const readers = new FakeReaders();
  const closed = new AbortController();
  const stream = new TailStream(readers.open, closed.signal);
  return { readers, closed, stream, ...virtualScheduler() };
}

const fault = new Error('fault');

describe('run', () => {
  it('never emits synchronously, not even what is there already', async () => {
    const { scheduler } = virtualScheduler();
    const stream = new TailStream<number>(async function* () {
      yield [1];
    }, new AbortController().signal);
    const { told, sink } = recorder();
    stream.run(sink, scheduler);
    expect(told).toEqual([]);
    await flush();
    expect(told).toEqual([
      [0, 1],
      [0, 'end'],
    ]);
  });

  it('never fails synchronously, not even when the reader cannot be opened', async () => {
    const { scheduler } = virtualScheduler();
    const stream = new TailStream<number>(() => {
      throw fault;
    }, new AbortController().signal);
    const { told, sink } = recorder();
    stream.run(sink, scheduler);
    expect(told).toEqual([]);
    await flush();
    expect(told).toEqual([[0, fault]]);
  });

  it('never ends synchronously, not even when the outbox is closed already', async () => {
    const { readers, closed, stream, scheduler } = setUp();
    closed.abort();
    const { told, sink } = recorder();
    stream.run(sink, scheduler);
    expect(told).toEqual([]);
    await flush();
    expect(told).toEqual([[0, 'end']]);
    expect(readers.opened).toHaveLength(0);
  });
});

describe('a stream', () => {
  it('gives the messages in their order, each at the time of the scheduler', async () => {
    const { readers, stream, scheduler, advanceTo } = setUp();
    const { told, sink } = recorder();
    stream.run(sink, scheduler);
    await flush();
    advanceTo(10);
    await readers.opened[0]!.push([1, 2]);
    advanceTo(20);
    await readers.opened[0]!.push([]);
    await readers.opened[0]!.push([3]);
    expect(told).toEqual([
      [10, 1],
      [10, 2],
      [20, 3],
    ]);
  });

  it('is cold: it opens nothing until it is run, and each run opens a reader of its own', async () => {
    const { readers, stream, scheduler } = setUp();
    await flush();
    expect(readers.opened).toHaveLength(0);
    const [first, second] = [recorder(), recorder()];
    const disposable = stream.run(first.sink, scheduler);
    stream.run(second.sink, scheduler);
    await flush();
    expect(readers.opened).toHaveLength(2);
    await readers.opened[0]!.push([1]);
    disposable.dispose();
    await readers.opened[1]!.push([1]);
    await readers.opened[1]!.push([2]);
    expect(first.told).toEqual([[0, 1]]);
    expect(second.told).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  it('ends with the error of a fault, exactly once, and with nothing after it', async () => {
    const { readers, closed, stream, scheduler, advanceTo } = setUp();
    const { told, sink } = recorder();
    const disposable = stream.run(sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1]);
    advanceTo(5);
    await readers.opened[0]!.fail(fault);
    closed.abort();
    disposable.dispose();
    await flush();
    expect(told).toEqual([
      [0, 1],
      [5, fault],
    ]);
    expect(readers.opened[0]!.finished).toBe(true);
  });

  it('ends with the error that its sink throws, exactly once, and stops the reader', async () => {
    const { readers, stream, scheduler } = setUp();
    const { told, sink } = recorder((value) => {
      if (value === 2) throw fault;
    });
    stream.run(sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1, 2, 3]);
    expect(told).toEqual([
      [0, 1],
      [0, 2],
      [0, fault],
    ]);
    expect(readers.opened[0]!.finished).toBe(true);
  });

  it('ends with the error that its sink throws at the end, as with the sources of most', async () => {
    const { closed, stream, scheduler } = setUp();
    const { told, sink } = recorder();
    stream.run(
      {
        ...sink,
        end: () => {
          throw fault;
        },
      },
      scheduler,
    );
    closed.abort();
    await flush();
    expect(told).toEqual([[0, fault]]);
  });

  it('rejects runEffects once when an effect throws', async () => {
    const { readers, stream, scheduler } = setUp();
    const effects = runEffects(
      tap(() => {
        throw fault;
      }, stream),
      scheduler,
    );
    const outcome = expect(effects).rejects.toBe(fault);
    await flush();
    await readers.opened[0]!.push([1, 2]);
    await outcome;
  });
});

describe('close', () => {
  it('ends every run without an error, once', async () => {
    const { readers, closed, stream, scheduler } = setUp();
    const [first, second] = [recorder(), recorder()];
    stream.run(first.sink, scheduler);
    stream.run(second.sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1]);
    closed.abort();
    await stream.ended();
    expect(first.told).toEqual([
      [0, 1],
      [0, 'end'],
    ]);
    expect(second.told).toEqual([[0, 'end']]);
    expect(readers.opened.map(({ finished }) => finished)).toEqual([true, true]);
  });

  it('in the middle of a batch gives nothing more of it', async () => {
    const { readers, closed, stream, scheduler } = setUp();
    const { told, sink } = recorder((value) => value === 2 && closed.abort());
    stream.run(sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1, 2, 3, 4]);
    expect(told).toEqual([
      [0, 1],
      [0, 2],
      [0, 'end'],
    ]);
  });
});

describe('dispose', () => {
  it('stops the reader and emits nothing more, neither an end nor an error, and may be called again', async () => {
    const { readers, closed, stream, scheduler } = setUp();
    const { told, sink } = recorder();
    const disposable = stream.run(sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1]);
    disposable.dispose();
    disposable.dispose();
    expect(readers.opened[0]!.signal.aborted).toBe(true);
    await readers.opened[0]!.push([2]);
    await readers.opened[0]!.fail(fault);
    closed.abort();
    disposable.dispose();
    await stream.ended();
    expect(told).toEqual([[0, 1]]);
    expect(readers.opened[0]!.finished).toBe(true);
  });

  it('in the middle of a batch gives nothing more of it', async () => {
    const { readers, stream, scheduler } = setUp();
    const { told, sink } = recorder((value) => value === 2 && disposable.dispose());
    const disposable = stream.run(sink, scheduler);
    await flush();
    await readers.opened[0]!.push([1, 2, 3, 4]);
    expect(told).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  it('before the first turn opens no reader', async () => {
    const { readers, stream, scheduler } = setUp();
    const { told, sink } = recorder();
    stream.run(sink, scheduler).dispose();
    await flush();
    expect(readers.opened).toHaveLength(0);
    expect(told).toEqual([]);
  });

  it('drops the error of a reader that fails while it stops', async () => {
    const { scheduler } = virtualScheduler();
    const stream = new TailStream<number>(async function* (signal) {
      yield [1];
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw fault;
    }, new AbortController().signal);
    const { told, sink } = recorder();
    const disposable = stream.run(sink, scheduler);
    await flush();
    disposable.dispose();
    await stream.ended();
    expect(told).toEqual([[0, 1]]);
  });
});
