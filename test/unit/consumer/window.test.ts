import { describe, expect, it } from 'vitest';

import type { Item } from '../../../src/consumer/item.js';
import { Window } from '../../../src/consumer/window.js';

const start = { position: 0, bytes: 0n };

function message(position: number, lane?: string, source: Item['source'] = 'log'): Item {
  return { source, position, lane, size: 10, payload: {}, state: 'waiting', begun: false, taken: false };
}

/** A window with these lanes at the positions 1, 2, 3 …; undefined is a message without a key. */
function windowOf(...lanes: (string | undefined)[]): { window: Window<Item>; items: Item[] } {
  const window = new Window<Item>(start);
  const items = lanes.map((lane, index) => message(index + 1, lane));
  for (const item of items) window.add(item, BigInt(item.position * 10));
  return { window, items };
}

function at(items: readonly Item[], position: number): Item {
  return items[position - 1] as Item;
}

/** Positions in the order in which they are run one after another. */
function runAll(window: Window<Item>): number[] {
  const order: number[] = [];
  for (let item = window.next(); item !== undefined; item = window.next()) {
    window.take(item);
    order.push(item.position);
    window.finish(item);
  }
  return order;
}

describe('an unblocked lane', () => {
  it('is run one after another, the others beside it', () => {
    const { window, items } = windowOf('a', 'a', 'b', undefined, undefined);
    const taken: number[] = [];
    for (let item = window.next(); item !== undefined; item = window.next()) {
      window.take(item);
      taken.push(item.position);
    }
    expect(taken).toEqual([1, 3, 4, 5]);
    window.finish(at(items, 1));
    expect(window.next()).toBe(at(items, 2));
  });

  it('is taken in one batch with whole, and in order', () => {
    const { window, items } = windowOf('a', 'b', 'a', 'a');
    const batch: number[] = [];
    for (let item = window.next(); item !== undefined; item = window.next()) {
      window.take(item, true);
      batch.push(item.position);
    }
    expect(batch).toEqual([1, 2, 3, 4]);
    for (const item of items) window.giveBack(item);
    expect(runAll(window)).toEqual([1, 2, 3, 4]);
  });

  it('goes on behind the part of a batch that was done', () => {
    const { window, items } = windowOf('a', 'a', 'a');
    for (const item of items) window.take(item, true);
    window.finish(at(items, 1));
    window.giveBack(at(items, 2));
    window.giveBack(at(items, 3));
    expect(window.next()).toBe(at(items, 2));
    expect(runAll(window)).toEqual([2, 3]);
  });

  it('waits while its first message is being written to failures, and is queued once it is blocked', () => {
    const { window, items } = windowOf('a', 'a', 'b');
    window.take(at(items, 1));
    window.passing(at(items, 1));
    expect(window.isQuiet('a')).toBe(false);
    expect(window.next()).toBe(at(items, 3));
    window.block('a');
    window.finish(at(items, 1));
    expect(window.takeQueueable()).toEqual([at(items, 2)]);
    expect(window.takeQueueable()).toEqual([]);
    expect(runAll(window)).toEqual([3]);
  });

  it('waits as well where it was taken to be published in one batch, which was complete before it', () => {
    const { window, items } = windowOf('a', 'a', 'b');
    window.take(at(items, 1), true);
    window.passing(at(items, 1));
    expect(window.next()).toBe(at(items, 3));
  });

  it('waits as well behind one that was convicted without being run', () => {
    const { window, items } = windowOf('a', 'a');
    window.passing(at(items, 1));
    expect(window.next()).toBeUndefined();
    window.finish(at(items, 1));
    expect(runAll(window)).toEqual([2]);
  });
});

describe('a blocked lane', () => {
  it('runs its failures, and none of the log', () => {
    const { window } = windowOf('a', 'b');
    const records = [message(-3, 'a', 'failures'), message(-2, 'a', 'failures')];
    window.addRecords(records);
    expect(window.blockedLanes()).toContain('a');
    expect(window.blockedLanes()).toEqual(['a']);
    expect(window.hasRecords('a')).toBe(true);
    expect(runAll(window)).toEqual([-3, -2, 2]);
    expect(window.hasRecords('a')).toBe(false);
    expect(window.isQuiet('a')).toBe(true);
    window.unblock('a');
    expect(runAll(window)).toEqual([1]);
    expect(window.blockedLanes()).toEqual([]);
  });

  it('does not run failures beside a message of the log that is still under way', () => {
    const { window, items } = windowOf('a', 'a');
    window.take(at(items, 1));
    window.addRecords([message(-1, 'a', 'failures')]);
    expect(window.next()).toBeUndefined();
    // That one may still fail, and then comes before the second.
    expect(window.takeQueueable()).toEqual([]);
    window.finish(at(items, 1));
    expect(window.next()?.position).toBe(-1);
    expect(window.takeQueueable()).toEqual([at(items, 2)]);
  });

  it('queues a message of the log that is given back before those behind it', () => {
    const { window, items } = windowOf('a', 'a');
    window.take(at(items, 1));
    window.block('a');
    window.giveBack(at(items, 1));
    expect(window.takeQueueable()).toEqual(items);
  });

  it('drops loaded failures that have not begun', () => {
    const { window } = windowOf('a');
    const records = [message(-3, 'a', 'failures'), message(-2, 'a', 'failures')];
    window.addRecords(records);
    window.take(records[0] as Item);
    expect(window.dropRecords('a')).toEqual([records[1]]);
    window.finish(records[0] as Item);
    expect(window.next()).toBeUndefined();
    expect(window.hasRecords('a')).toBe(false);
  });

  it('offers what came while it was blocked as soon as it is free', () => {
    const { window } = windowOf('a');
    window.block('a');
    window.add(message(2, 'a'), 20n);
    window.unblock('a');
    expect(window.takeQueueable()).toEqual([]);
    expect(runAll(window)).toEqual([1, 2]);
  });

  it('has nothing loaded, and is quiet, where it was never met', () => {
    const { window } = windowOf();
    expect(window.isQuiet('a')).toBe(true);
    expect(window.hasRecords('a')).toBe(false);
    expect(window.blockedLanes()).not.toContain('a');
  });
});

describe('beside an accused message', () => {
  it.each<[what: string, lanes: (string | undefined)[], expected: number | undefined]>([
    ['of another lane', ['a', 'a', 'b'], 3],
    ['without a key', ['a', 'a', undefined], 3],
    ['none where all are of its lane', ['a', 'a', 'a'], undefined],
    ['another one without a key, where it has none itself', [undefined, undefined], 2],
  ])('the lowest is given: %s', (_what, lanes, expected) => {
    const { window, items } = windowOf(...lanes);
    window.take(at(items, 1), true);
    at(items, 1).state = 'held';
    expect(window.nextBeside(at(items, 1))?.position).toBe(expected);
  });

  it('and those that were tried are left out', () => {
    const { window, items } = windowOf('a', 'b', 'c', 'b');
    window.take(at(items, 1), true);
    expect(window.nextBeside(at(items, 1), new Set([at(items, 2)]))).toBe(at(items, 3));
    expect(window.nextBeside(at(items, 1), new Set([at(items, 2), at(items, 3)]))).toBeUndefined();
  });
});

describe('the reached place', () => {
  it('moves over what is done, skipped or being written to failures, and stops before anything else', () => {
    const { window, items } = windowOf(undefined, undefined, undefined);
    window.reach.skip({ position: 4, bytes: 45n });
    expect(window.reach.advance()).toEqual(start);
    for (const item of [at(items, 1), at(items, 3)]) window.take(item);
    window.finish(at(items, 3));
    expect(window.reach.handledAbove()).toEqual([3]);
    expect(window.reach.reachedWith(at(items, 1))).toEqual({ position: 1, bytes: 10n, handled: [3] });
    expect(window.reach.advance()).toEqual(start);
    window.finish(at(items, 1));
    expect(window.reach.advance()).toEqual({ position: 1, bytes: 10n });
    window.passing(at(items, 2));
    expect(window.reach.advance()).toEqual({ position: 4, bytes: 45n });
    expect(window.reach.begun).toEqual({ total: 2, reached: 2 });
  });

  it.each<[size: number, end: number]>([
    [1, 1],
    [2, 3],
    [3, 4],
    [4, 6],
    [10, 12],
  ])('and %i messages above it end at %i where 2 and 5 are skipped', (size, end) => {
    const window = new Window<Item>(start);
    for (const position of [1, 2, 3, 4, 5]) {
      if (position === 2 || position === 5) window.reach.skip({ position, bytes: 0n });
      else window.add(message(position), 0n);
    }
    expect(window.reach.end(size)).toBe(end);
  });
});
