import fc from 'fast-check';
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

/*
 * Any sequence of calls against a model that keeps everything in one list and looks through it anew each time.
 */

type Call =
  | { call: 'add' | 'addRecord'; lane: number }
  | { call: 'skip' | 'queue' | 'reached' }
  | { call: 'take'; whole: boolean; beside: boolean }
  | { call: 'finish' | 'giveBack' | 'hold' | 'pass'; which: number }
  | { call: 'block' | 'unblock'; lane: number };

const lanes = ['a', 'b', 'c', undefined];
const laneIndex = fc.nat(lanes.length - 1);
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ call: fc.constant('add' as const), lane: laneIndex }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('skip' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ call: fc.constant('take' as const), whole: fc.boolean(), beside: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      call: fc.constantFrom('finish' as const, 'giveBack' as const, 'hold' as const, 'pass' as const),
      which: fc.nat(7),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('block' as const, 'unblock' as const), lane: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('addRecord' as const), lane: laneIndex }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('queue' as const, 'reached' as const) }) },
);

/** What the window must do, by looking at every message each time. */
class Model {
  readonly window = new Window<Item>(start);
  /** Of the log in log order; undefined where a position is skipped. */
  readonly log: (Item | undefined)[] = [];
  readonly records: Item[] = [];
  readonly blocked = new Set<string>();
  readonly #begun = new Set<Item>();
  readonly #queued = new Set<Item>();
  /** Lanes whose messages were taken together. */
  readonly #whole = new Set<string>();
  #reached = 0;
  #failedPosition = -1_000;

  apply(given: Call): void {
    const { window } = this;
    switch (given.call) {
      case 'add': {
        const item = message(this.log.length + 1, lanes[given.lane]);
        this.log.push(item);
        window.add(item, BigInt(item.position * 10));
        break;
      }
      case 'skip':
        this.log.push(undefined);
        window.reach.skip({ position: this.log.length, bytes: BigInt(this.log.length * 10) });
        break;
      case 'addRecord': {
        const item = message((this.#failedPosition += 1), lanes[given.lane], 'failures');
        this.records.push(item);
        if (item.lane !== undefined) this.blocked.add(item.lane);
        window.addRecords([item]);
        break;
      }
      case 'take':
        this.#take(given.whole, given.beside);
        break;
      case 'finish':
      case 'giveBack':
      case 'hold':
      case 'pass':
        this.#settle(given.call, given.which);
        break;
      case 'block': {
        const lane = lanes[given.lane] as string;
        this.blocked.add(lane);
        window.block(lane);
        break;
      }
      case 'unblock': {
        const lane = lanes[given.lane] as string;
        // As the loader does it: when nothing of the lane is under way, being written or loaded.
        if (!this.blocked.has(lane) || !window.isQuiet(lane)) break;
        this.blocked.delete(lane);
        window.unblock(lane);
        break;
      }
      case 'queue':
        this.#queue();
        break;
      case 'reached':
        this.#checkReached();
        break;
    }
    this.#check();
  }

  /** Everything can be finished, in order, whatever came before. */
  drain(): void {
    const { window } = this;
    for (const item of this.#all()) if (item.taken && item.state !== 'passing') window.giveBack(item);
    for (let round = 0; round < this.#all().length + 10; round += 1) {
      for (const item of this.#all()) if (item.state === 'passing') this.#finish(item);
      for (let item = window.next(); item !== undefined; item = window.next()) {
        this.#checkMayRun(item);
        window.take(item);
        this.#finish(item);
      }
      for (const lane of this.blocked) {
        if (!window.isQuiet(lane)) continue;
        window.unblock(lane);
        this.blocked.delete(lane);
      }
    }
    expect(window.reach.advance().position).toBe(this.log.length);
    expect(window.buffered).toEqual({ count: 0, bytes: 0 });
    expect(window.takeQueueable()).toEqual([]);
  }

  #all(): Item[] {
    return [...this.records, ...this.log.filter((item) => item !== undefined)];
  }

  #take(whole: boolean, beside: boolean): void {
    const { window } = this;
    const first = this.#all().find(({ taken }) => taken);
    const item = beside && first !== undefined ? window.nextBeside(first) : window.next();
    if (item === undefined) return;
    if (beside && first?.lane !== undefined) expect(item.lane).not.toBe(first.lane);
    this.#checkMayRun(item);
    window.take(item, whole);
    if (item.lane !== undefined) {
      if (whole) this.#whole.add(item.lane);
      else if (!this.#laneOf(item).some((other) => other !== item && other.taken)) this.#whole.delete(item.lane);
    }
    if (item.source === 'log') this.#begun.add(item);
  }

  #settle(what: 'finish' | 'giveBack' | 'hold' | 'pass', which: number): void {
    const { window } = this;
    const passing = this.#all().filter(({ state }) => state === 'passing');
    const underWay = this.#all().filter(({ state }) => state === 'running' || state === 'held');
    if (what === 'finish' && passing.length > 0 && which % 2 === 0)
      return this.#finish(passing[which % passing.length] as Item);
    const item = underWay[which % underWay.length];
    if (item === undefined) return;
    // A batch is settled from its first message on: a later one can't be done before an earlier one of its key.
    const batch = this.#laneOf(item).filter(({ taken, state }) => taken && state !== 'passing');
    const first = (item.lane === undefined ? item : batch[0]) as Item;
    if (what === 'finish') return this.#finish(first);
    if (what === 'hold') {
      first.state = 'held';
      return;
    }
    if (what === 'pass') window.passing(first);
    // Those behind it in its key are not done either.
    for (const other of item.lane === undefined ? [first] : batch)
      if (what === 'giveBack' || other !== first) window.giveBack(other);
  }

  #finish(item: Item): void {
    this.window.finish(item);
    expect(item.payload).toBeUndefined();
  }

  #queue(): void {
    for (const item of this.window.takeQueueable()) {
      expect(item.source).toBe('log');
      expect(this.blocked).toContain(item.lane);
      expect(this.#queued).not.toContain(item);
      this.#queued.add(item);
      const lower = this.#lowerInLog(item);
      // Written in log order, and each only when all lower ones of its key are settled.
      for (const other of lower) expect(['done', 'passing']).toContain(other.state);
      this.window.passing(item);
    }
  }

  #laneOf(item: Item): Item[] {
    return item.lane === undefined ? [item] : this.#all().filter(({ lane }) => lane === item.lane);
  }

  #lowerInLog(item: Item): Item[] {
    return this.#laneOf(item).filter(({ source, position }) => source === 'log' && position < item.position);
  }

  #checkMayRun(item: Item): void {
    expect(item.state).toBe('waiting');
    expect(item.taken).toBe(false);
    if (item.lane === undefined) return;
    expect(item.source === 'failures').toBe(this.blocked.has(item.lane));
    for (const other of this.#laneOf(item)) {
      if (other === item || other.state === 'done') continue;
      // Nothing of a lane is run beside another of it, unless they were taken together.
      if (other.taken) {
        expect(this.#whole).toContain(item.lane);
        expect(other.state).not.toBe('passing');
        expect(other.source).toBe(item.source);
      }
      // And in order.
      if (other.source === item.source && other.position < item.position) expect(other.taken).toBe(true);
    }
  }

  #mayRun(item: Item): boolean {
    if (item.state !== 'waiting') return false;
    if (item.lane === undefined) return true;
    if ((item.source === 'failures') !== this.blocked.has(item.lane)) return false;
    const lane = this.#laneOf(item).filter(({ state }) => state !== 'done');
    if (lane.some(({ taken }) => taken)) return false;
    return lane.find(({ source }) => source === item.source) === item;
  }

  #check(): void {
    const { window } = this;
    const lowest = this.#all()
      .filter((item) => this.#mayRun(item))
      .sort((a, b) => a.position - b.position)[0];
    const next = window.next();
    if (next !== undefined) this.#checkMayRun(next);
    if (lowest !== undefined) expect(next?.position).toBeLessThanOrEqual(lowest.position);
    const held = this.log.filter((item) => item?.payload !== undefined);
    expect(window.buffered).toEqual({ count: held.length, bytes: held.length * 10 });
    expect(window.reach.begun.total).toBe(this.#begun.size);
    expect(window.blockedLanes().sort()).toEqual([...this.blocked].sort());
    for (const lane of ['a', 'b', 'c']) {
      const loaded = this.records.some((item) => item.lane === lane && item.state !== 'done');
      expect(window.hasRecords(lane)).toBe(loaded);
      const busy = this.#all().some((item) => item.lane === lane && (item.taken || item.state === 'passing'));
      expect(window.isQuiet(lane)).toBe(!busy && !loaded);
    }
    for (const size of [1, 2, 5]) this.#checkEnd(size);
  }

  #checkEnd(size: number): void {
    const above = this.log.flatMap((item, index) => (index >= this.#reached && item !== undefined ? [item] : []));
    const expected = above[size - 1]?.position ?? this.log.length + (size - above.length);
    expect(this.window.reach.end(size)).toBe(expected);
  }

  #checkReached(): void {
    let reached = 0;
    while (reached < this.log.length && isPassed(this.log[reached])) reached += 1;
    const before = this.#reached;
    this.#reached = reached;
    expect(this.window.reach.advance()).toEqual({ position: reached, bytes: BigInt(reached * 10) });
    expect(reached).toBeGreaterThanOrEqual(before);
    const begun = this.log.filter((item, index) => index < reached && item !== undefined && this.#begun.has(item));
    expect(this.window.reach.begun.reached).toBe(begun.length);
    const handled = this.log.filter((item, index) => index >= reached && item?.state === 'done' && item.begun);
    expect(this.window.reach.handledAbove()).toEqual(handled.map((item) => item?.position));
  }
}

function isPassed(item: Item | undefined): boolean {
  return item === undefined || item.state === 'done' || item.state === 'passing';
}

describe('any sequence of calls', () => {
  it('keeps the order, passes nothing over, and can always be finished', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60, size: 'max' }), (calls) => {
        const model = new Model();
        for (const each of calls) model.apply(each);
        model.drain();
      }),
      { numRuns: 150 },
    );
  });
});
