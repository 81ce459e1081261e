import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { Item } from '../../../src/consumer/item.js';
import { Window } from '../../../src/consumer/window.js';

/*
 * Any sequence of calls against a model that keeps everything in one list and looks through it anew each time.
 */

type Call =
  | { call: 'add' | 'addRecord' | 'dropRecords'; lane: number }
  | { call: 'skip' | 'queue' | 'reached' | 'closeBatch' }
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
  { weight: 3, arbitrary: fc.record({ call: fc.constant('addRecord' as const), lane: laneIndex }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('dropRecords' as const), lane: fc.nat(2) }) },
  {
    weight: 4,
    arbitrary: fc.record({ call: fc.constantFrom('queue' as const, 'reached' as const, 'closeBatch' as const) }),
  },
);

function message(position: number, lane?: string, source: Item['source'] = 'log'): Item {
  return { source, position, lane, size: 10, payload: {}, state: 'waiting', begun: false, taken: false };
}

const mark = (position: number) => ({ position, bytes: BigInt(position * 10) });

/** What the window must do, by looking at every message each time. */
class Model {
  readonly window = new Window<Item>(mark(0));
  /** Of the log in log order; undefined where a position is skipped. */
  readonly log: (Item | undefined)[] = [];
  readonly records: Item[] = [];
  /** Messages of the log that are in failures and not loaded. */
  readonly failures = new Set<Item>();
  readonly blocked = new Set<string>();
  readonly #begun = new Set<Item>();
  readonly #queued = new Set<Item>();
  /** Lanes whose messages were taken together. */
  readonly #whole = new Set<string>();
  #reached = 0;
  #earlierFailure = -1_000;

  apply(given: Call): void {
    const { window } = this;
    switch (given.call) {
      case 'add': {
        const item = message(this.log.length + 1, lanes[given.lane]);
        this.log.push(item);
        window.add(item, mark(item.position).bytes);
        break;
      }
      case 'skip':
        this.log.push(undefined);
        window.reach.skip(mark(this.log.length));
        break;
      case 'addRecord':
        this.#addRecord(lanes[given.lane]);
        break;
      case 'dropRecords':
        this.#dropRecords(lanes[given.lane] as string);
        break;
      case 'take':
        this.#take(given.whole, given.beside);
        break;
      case 'closeBatch':
        window.closeBatch(this.#all().filter(({ taken }) => taken));
        this.#whole.clear();
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
      case 'unblock':
        this.#unblock(lanes[given.lane] as string);
        break;
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
    for (let round = 0; round < 3 * this.#all().length + 10; round += 1) {
      // At first what waits behind a failure is written to failures as well.
      if (round === 0) this.#queue();
      for (const item of this.#all())
        if (item.state === 'passing') {
          if (round === 0) this.#writtenToFailures(item, false);
          else this.#finish(item);
        }
      for (let item = window.next(); item !== undefined; item = window.next()) {
        this.#checkMayRun(item);
        window.take(item);
        if (item.source === 'log') this.#begun.add(item);
        this.#finish(item);
      }
      expect(window.reach.begun.total).toBe(this.#begun.size);
      for (const lane of lanes) if (this.#failuresOf(lane).length > 0) this.#addRecord(lane);
      for (const lane of this.blocked) this.#unblock(lane);
    }
    expect(window.reach.advance()).toEqual(mark(this.log.length));
    expect(window.buffered).toEqual({ count: 0, bytes: 0 });
    expect(window.takeQueueable()).toEqual([]);
    expect([...this.failures]).toEqual([]);
  }

  #all(): Item[] {
    return [...this.records, ...this.log.filter((item) => item !== undefined)];
  }

  #failuresOf(lane: string | undefined): Item[] {
    return [...this.failures].filter((item) => item.lane === lane).sort((a, b) => a.position - b.position);
  }

  /** As the loader does it: those of a lane from the lowest on, when nothing of its log is under way. */
  #addRecord(lane: string | undefined): void {
    const loaded = this.records.filter((item) => item.lane === lane && item.state !== 'done');
    const [lowest] = this.#failuresOf(lane);
    if (lane !== undefined && lowest !== undefined && loaded.length === 0 && !this.window.isQuiet(lane)) return;
    if (lowest !== undefined && loaded.some(({ position }) => position > lowest.position)) return;
    if (lowest === undefined && loaded.some(({ position }) => position > 0)) return;
    // Without one that this window has set aside it is one of an earlier owner.
    const item = message(lowest?.position ?? (this.#earlierFailure += 1), lane, 'failures');
    if (lowest !== undefined) this.failures.delete(lowest);
    this.records.push(item);
    if (lane !== undefined) this.blocked.add(lane);
    this.window.addRecords([item]);
  }

  #dropRecords(lane: string): void {
    const waiting = this.records.filter((item) => item.lane === lane && item.state === 'waiting');
    expect(this.window.dropRecords(lane)).toEqual(waiting);
    for (const item of waiting) {
      this.records.splice(this.records.indexOf(item), 1);
      this.#failAgain(item);
    }
  }

  /** It is in failures still, and not loaded any more. */
  #failAgain({ position }: Item): void {
    const original = this.log[position - 1];
    if (original !== undefined) this.failures.add(original);
  }

  /** When no failure is left, and nothing of the lane is under way, being written or loaded. */
  #unblock(lane: string): void {
    if (!this.blocked.has(lane) || !this.window.isQuiet(lane) || this.#failuresOf(lane).length > 0) return;
    this.blocked.delete(lane);
    this.window.unblock(lane);
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
      return this.#writtenToFailures(passing[which % passing.length] as Item, which % 3 === 0);
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

  #writtenToFailures(item: Item, dead: boolean): void {
    const { lane, source } = item;
    // One that was queued behind a failure is no dead letter.
    const queued = source === 'log' && this.#queued.has(item);
    if (dead && !queued) return this.#finish(item);
    if (lane !== undefined) {
      this.blocked.add(lane);
      this.window.block(lane);
      if (source === 'failures') this.#dropRecords(lane);
    }
    this.#finish(item);
    this.#failAgain(item);
  }

  #finish(item: Item): void {
    const wasPassing = item.state === 'passing';
    this.window.finish(item);
    expect(item.payload).toBeUndefined();
    if (item.source === 'log' || wasPassing) return;
    // A failure was handled: its message is, where it is above the reached place.
    this.window.reach.endedApart(item.position);
    const original = this.log[item.position - 1];
    if (original !== undefined && item.position > this.#reached) this.#begun.add(original);
  }

  #queue(): void {
    for (const item of this.window.takeQueueable()) {
      expect(item.source).toBe('log');
      expect(this.blocked).toContain(item.lane);
      expect(this.#queued).not.toContain(item);
      this.#queued.add(item);
      // Written in log order, and each only when all lower ones of its key are settled.
      for (const other of this.#lowerInLog(item)) expect(['done', 'passing']).toContain(other.state);
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
    assert.equal(item.state, 'waiting');
    assert.equal(item.taken, false);
    if (item.lane === undefined) return;
    assert.equal(item.source === 'failures', this.blocked.has(item.lane), 'a blocked lane runs its failures');
    for (const other of this.#laneOf(item)) {
      if (other === item || other.state === 'done') continue;
      if (other.taken) {
        assert(this.#whole.has(item.lane), 'nothing of a lane is run beside another of it, unless taken together');
        assert.notEqual(other.state, 'passing');
        assert.equal(other.source, item.source);
      }
      if (other.source === item.source && other.position < item.position) assert(other.taken, 'a lane is run in order');
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

  /** All that the window offers, in its order. */
  #offered(): Item[] {
    const offered = new Set<Item>();
    const none = message(0);
    for (let item = this.window.nextBeside(none); item !== undefined; item = this.window.nextBeside(none, offered))
      offered.add(item);
    return [...offered];
  }

  #check(): void {
    const { window } = this;
    const offered = this.#offered();
    for (const item of offered) this.#checkMayRun(item);
    expect(offered.map(({ position }) => position)).toEqual(
      offered.map(({ position }) => position).sort((a, b) => a - b),
    );
    expect(this.#all().filter((item) => this.#mayRun(item) && !offered.includes(item))).toEqual([]);
    expect(window.next()).toBe(offered[0]);
    expect(window.nextBegun()).toBe(offered.find(({ begun }) => begun));
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
    for (const item of this.#all()) if (item.state === 'running') this.#checkReachedWith(item);
  }

  #checkEnd(size: number): void {
    const above = this.log.flatMap((item, index) => (index >= this.#reached && item !== undefined ? [item] : []));
    const expected = above[size - 1]?.position ?? this.log.length + (size - above.length);
    expect(this.window.reach.end(size)).toBe(expected);
  }

  /** What the transaction of its handler would store. */
  #checkReachedWith(item: Item): void {
    let reached = this.#reached;
    const isDone = (other: Item | undefined) => other === undefined || other === item || other.state === 'done';
    while (reached < this.log.length && isDone(this.log[reached])) reached += 1;
    const handled = this.log.filter(
      (other) =>
        other !== undefined &&
        other.position > reached &&
        ((other.state === 'done' && other.begun) || other.position === item.position),
    );
    expect(this.window.reach.reachedWith(item)).toEqual({
      ...mark(reached),
      handled: handled.map((other) => other?.position),
    });
  }

  #checkReached(): void {
    let reached = 0;
    while (reached < this.log.length && isPassed(this.log[reached])) reached += 1;
    const before = this.#reached;
    this.#reached = Math.max(before, reached);
    expect(this.window.reach.advance()).toEqual(mark(reached));
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

it('any sequence of calls keeps the order of every lane, passes nothing over, and can always be finished', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 80, size: 'max' }), (calls) => {
      const model = new Model();
      for (const each of calls) model.apply(each);
      model.drain();
    }),
    { numRuns: 100 },
  );
});
