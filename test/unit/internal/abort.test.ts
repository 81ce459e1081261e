import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { abandonable, abandoned, aborted, anyOf, pause } from '../../../src/internal/abort.js';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

/** Whether it settles without any time passing. */
async function settlesNow(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await vi.advanceTimersByTimeAsync(0);
  return settled;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('pause', () => {
  it('ends after its time, not before', async () => {
    const paused = pause(100);
    await vi.advanceTimersByTimeAsync(99);
    expect(await settlesNow(paused)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await settlesNow(paused)).toBe(true);
  });

  it.each([0, 1, 2])('ends as soon as one of its signals aborts: number %i', async (which) => {
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const paused = pause(60_000, ...controllers.map(({ signal }) => signal));
    expect(await settlesNow(paused)).toBe(false);
    controllers[which]!.abort();
    expect(await settlesNow(paused)).toBe(true);
  });

  it('ends at once when a signal has aborted before', async () => {
    expect(await settlesNow(pause(60_000, undefined, AbortSignal.abort()))).toBe(true);
  });

  it.each([
    { end: 'its time', by: (_: AbortController) => vi.advanceTimersByTimeAsync(100) },
    { end: 'an abort', by: (controller: AbortController) => Promise.resolve(controller.abort()) },
  ])('leaves neither a timer nor a listener behind after $end', async ({ by }) => {
    const [first, second] = [new AbortController(), new AbortController()];
    const paused = pause(100, first.signal, second.signal);
    expect(listeners(second.signal)).toBe(1);
    await by(first);
    await paused;
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners(first.signal)).toBe(0);
    expect(listeners(second.signal)).toBe(0);
  });
});

describe('aborted', () => {
  it('resolves when the signal aborts, also if it has before', async () => {
    const controller = new AbortController();
    const { promise } = aborted(controller.signal);
    expect(await settlesNow(promise)).toBe(false);
    controller.abort();
    expect(await settlesNow(promise)).toBe(true);
    expect(await settlesNow(aborted(controller.signal).promise)).toBe(true);
  });

  it('takes its listener off', () => {
    const { signal } = new AbortController();
    const { stop } = aborted(signal);
    expect(listeners(signal)).toBe(1);
    stop();
    expect(listeners(signal)).toBe(0);
  });
});

describe('abandonable', () => {
  it('gives the outcome of the work, and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await expect(abandonable(Promise.resolve(5), signal)).resolves.toBe(5);
    await expect(abandonable(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
    expect(listeners(signal)).toBe(0);
  });

  it('lets go of work that hangs when the signal aborts', async () => {
    const controller = new AbortController();
    const outcome = abandonable(new Promise(() => undefined), controller.signal);
    controller.abort();
    await expect(outcome).resolves.toBe(abandoned);
  });

  it('drops the error of work that fails after it was let go', async () => {
    vi.useRealTimers();
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const controller = new AbortController();
    let fail = (_: Error): void => undefined;
    const work = new Promise((_resolve, reject) => (fail = reject));
    const outcome = abandonable(work, controller.signal);
    controller.abort();
    await outcome;
    fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('anyOf', () => {
  it('aborts with any of its signals, and leaves out what is undefined', () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const any = anyOf(first.signal, undefined, second.signal);
    expect(any.aborted).toBe(false);
    second.abort('why');
    expect(any.aborted).toBe(true);
    expect(any.reason).toBe('why');
  });

  it('keeps a time limit alive that nobody else holds, also through a second one', async () => {
    vi.useRealTimers();
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const any = anyOf(anyOf(AbortSignal.timeout(100)), new AbortController().signal);
    const deadline = performance.now() + 5_000;
    while (!any.aborted && performance.now() < deadline) {
      collectGarbage();
      await delay(10);
    }
    expect(any.aborted).toBe(true);
  });
});
