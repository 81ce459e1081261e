import { Timestamp } from 'mongodb';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { ChangeWake } from '../../../src/election/change-wake.js';
import type { Change, ChangeWatch } from '../../../src/store/change-watch.js';
import type { Store } from '../../../src/store/store.js';
import { flush, isSettled } from '../../support/settled.js';

const at = (seconds: number) => new Timestamp({ t: seconds, i: 1 });

/** A change stream whose changes the test makes; it refuses to be asked twice at once, as the server does. */
class FakeStream implements ChangeWatch {
  asked = 0;
  closed = false;
  #waiting: { resolve: (change: Change) => void; reject: (error: Error) => void } | undefined;

  next(): Promise<Change> {
    if (this.#waiting !== undefined) throw new Error('asked twice at once');
    this.asked += 1;
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  close(): void {
    this.closed = true;
    void this.fail(new Error('the stream was closed'));
  }

  change(at: Timestamp, id?: string): Promise<void> {
    this.#waiting?.resolve({ at, id });
    this.#waiting = undefined;
    return flush();
  }

  fail(error: Error): Promise<void> {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    return flush();
  }
}

const storeWithPool = (maxPoolSize: number) => ({ client: { options: { maxPoolSize } } }) as unknown as Store;

const never = new AbortController().signal;

let streams: FakeStream[];
let errors: unknown[];
const wakeOn = (store: Store) =>
  new ChangeWake(
    store,
    () => {
      streams.push(new FakeStream());
      return streams.at(-1)!;
    },
    (error) => errors.push(error),
  );

beforeEach(() => {
  streams = [];
  errors = [];
});

describe('a wait', () => {
  it('ends at the first change later than its moment, and passes earlier ones over', async () => {
    const wake = wakeOn(storeWithPool(100));
    expect(wake.open(at(1))).toBe(true);
    const changed = wake.changedAfter(at(5), never);
    await streams[0]!.change(at(4));
    await streams[0]!.change(at(5));
    expect(await isSettled(changed)).toBe(false);
    await streams[0]!.change(at(6));
    expect(await isSettled(changed)).toBe(true);
  });

  it('ends at a change that came before it began, when that is late enough', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    void wake.changedAfter(at(5), never);
    const second = wake.changedAfter(at(7), never);
    await streams[0]!.change(at(8));
    expect(await isSettled(second)).toBe(true);
  });

  it('is given up when its signal aborts, and costs nothing from then on', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    for (let wait = 0; wait < 100; wait += 1) {
      const over = new AbortController();
      const changed = wake.changedAfter(at(5), over.signal);
      over.abort();
      expect(await isSettled(changed)).toBe(true);
    }
    expect(streams[0]!.asked).toBe(1);
    const change = at(6);
    const compared = vi.spyOn(change, 'greaterThan');
    const last = wake.changedAfter(at(5), never);
    await streams[0]!.change(change);
    expect(await isSettled(last)).toBe(true);
    expect(compared).toHaveBeenCalledTimes(1);
  });

  it('for one document passes the changes of others over', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    const changed = wake.changedAfter(at(1), never, 'b');
    await streams[0]!.change(at(2), 'a');
    expect(await isSettled(changed)).toBe(false);
    await streams[0]!.change(at(3), 'b');
    expect(await isSettled(changed)).toBe(true);
  });

  it('ends at once when its change was read for somebody else before', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    void wake.changedAfter(at(1), never, 'a');
    await streams[0]!.change(at(2), 'b');
    expect(await isSettled(wake.changedAfter(at(1), never, 'b'))).toBe(true);
    expect(await isSettled(wake.changedAfter(at(2), never, 'b'))).toBe(false);
  });

  it('asks the stream for nothing while nobody waits', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    const changed = wake.changedAfter(at(1), never);
    await streams[0]!.change(at(2));
    expect(await isSettled(changed)).toBe(true);
    expect(streams[0]!.asked).toBe(1);
  });

  it('ends when the stream is closed', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    const changed = wake.changedAfter(at(1), never);
    wake.close();
    expect(await isSettled(changed)).toBe(true);
    expect(streams[0]!.closed).toBe(true);
    expect(errors).toEqual([]);
  });
});

describe('a stream that fails', () => {
  it('ends the wait, is reported and closed, and is left alone for a while', async () => {
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    const changed = wake.changedAfter(at(1), never);
    const refused = new Error('not allowed');
    await streams[0]!.fail(refused);
    expect(await isSettled(changed)).toBe(true);
    expect(errors).toEqual([refused]);
    expect(streams[0]!.closed).toBe(true);
    expect(wake.open(at(2))).toBe(false);
    expect(streams).toHaveLength(1);
  });

  it('is tried again after 30 s', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const wake = wakeOn(storeWithPool(100));
    wake.open(at(1));
    void wake.changedAfter(at(1), never);
    await streams[0]!.fail(new Error('gone'));
    clock.mockReturnValue(30_999);
    expect(wake.open(at(1))).toBe(false);
    clock.mockReturnValue(31_000);
    expect(wake.open(at(1))).toBe(true);
    clock.mockRestore();
  });
});

describe('the pool', () => {
  it.each([
    { size: 1, streams: 0 },
    { size: 2, streams: 1 },
    { size: 3, streams: 1 },
    { size: 10, streams: 5 },
  ])('of $size connections gives at most half: $streams to streams', ({ size, streams: most }) => {
    const store = storeWithPool(size);
    const opened = Array.from({ length: size + 1 }, () => wakeOn(store)).filter((wake) => wake.open(at(1)));
    expect(opened).toHaveLength(most);
  });

  it('gets its connection back when the stream is closed, once', () => {
    const store = storeWithPool(2);
    const first = wakeOn(store);
    const second = wakeOn(store);
    first.open(at(1));
    first.open(at(1));
    expect(second.open(at(1))).toBe(false);
    first.close();
    first.close();
    expect(second.open(at(1))).toBe(true);
    expect(wakeOn(store).open(at(1))).toBe(false);
  });
});
