import type { LogMark } from '../store/log-marks.js';
import type { Item } from './item.js';
import { Reach } from './reach.js';

/** The messages of one key. */
interface Lane<I> {
  /** Of the log, not done. */
  items: I[];
  /** Loaded from failures, not done. */
  records: I[];
  /** How many were taken and are neither done nor given back: the first ones of the items, or of the records. */
  taken: number;
  /** Whether failures of this key come first. */
  blocked: boolean;
}

/**
 * The messages above the checkpoint: which may be run next, and in which order. Messages of a lane are run in log order;
 * those of a blocked lane wait for its failures.
 */
export class Window<I extends Item> {
  /** How far the messages of the log are done. */
  readonly reach: Reach<I>;
  readonly #lanes = new Map<string, Lane<I>>();
  /** What may be run, lowest position first. */
  readonly #ready: I[] = [];
  #queueable: I[] = [];
  readonly #buffered = { count: 0, bytes: 0 };

  constructor(start: LogMark) {
    this.reach = new Reach<I>(start);
  }

  /** Messages of the log that have not begun and hold memory. */
  get buffered(): Readonly<{ count: number; bytes: number }> {
    return this.#buffered;
  }

  /** Adds a message of the log. */
  add(item: I, bytes: bigint): void {
    this.reach.add(item, bytes);
    this.#buffered.count += 1;
    this.#buffered.bytes += item.size;
    if (item.lane === undefined) return this.#offer(item);
    const lane = this.#lane(item.lane);
    lane.items.push(item);
    if (lane.blocked) this.#queueable.push(item);
    else this.#offerNext(lane);
  }

  /** Adds messages of failures, lowest position first; those of a lane block it. */
  addRecords(records: readonly I[]): void {
    for (const item of records) {
      if (item.lane === undefined) {
        this.#offer(item);
        continue;
      }
      this.block(item.lane);
      const lane = this.#lane(item.lane);
      lane.records.push(item);
      this.#offerNext(lane);
    }
  }

  /** Drops loaded messages of failures of the lane that have not begun. */
  dropRecords(key: string): I[] {
    const lane = this.#lane(key);
    const dropped = lane.records.filter(({ state }) => state === 'waiting');
    lane.records = lane.records.filter(({ state }) => state !== 'waiting');
    for (const item of dropped) this.#withdraw(item);
    return dropped;
  }

  blockedLanes(): string[] {
    return [...this.#lanes].filter(([, lane]) => lane.blocked).map(([key]) => key);
  }

  /** Whether messages of failures of this lane are loaded. */
  hasRecords(key: string): boolean {
    return (this.#lanes.get(key)?.records.length ?? 0) > 0;
  }

  /** From now on the lane's messages of the log wait for its failures. */
  block(key: string): void {
    const lane = this.#lane(key);
    if (lane.blocked) return;
    lane.blocked = true;
    for (const item of lane.items) {
      if (item.state !== 'waiting') continue;
      this.#withdraw(item);
      this.#queueable.push(item);
    }
  }

  /** No failure of this lane is left. */
  unblock(key: string): void {
    const lane = this.#lane(key);
    lane.blocked = false;
    this.#queueable = this.#queueable.filter((item) => item.lane !== key);
    this.#offerNext(lane);
    this.#forget(key, lane);
  }

  /** Messages of the log in blocked lanes that have come to wait since the last call, at most `most` of them. */
  takeQueueable(most = Infinity): I[] {
    if (this.#queueable.length === 0) return [];
    // One that is under way may still fail, and then comes before them.
    const underWay = (item: I) => this.#lane(item.lane as string).items.some(({ taken }) => taken);
    const blockedLater = new Map<string, boolean>();
    const free: I[] = [];
    const rest: I[] = [];
    for (const item of this.#queueable) {
      if (item.state !== 'waiting') continue;
      const key = item.lane as string;
      if (!blockedLater.has(key)) blockedLater.set(key, underWay(item));
      (free.length >= most || blockedLater.get(key) === true ? rest : free).push(item);
    }
    this.#queueable = rest;
    return free;
  }

  /** Whether nothing of the lane is under way, being written or loaded: its failures may be looked up. */
  isQuiet(key: string): boolean {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return true;
    return lane.taken === 0 && lane.records.length === 0 && !lane.items.some(({ state }) => state === 'passing');
  }

  /** What would be run next. */
  next(): I | undefined {
    return this.#ready[0];
  }

  /** The lowest message that may be run and was begun before: it takes no more room in the window. */
  nextBegun(): I | undefined {
    return this.#ready.find(({ begun }) => begun);
  }

  /** The lowest message that may be run, is not of the lane of `other` and not among `except`. */
  nextBeside(other: I, except: ReadonlySet<I> = new Set()): I | undefined {
    return this.#ready.find(
      (item) => item !== other && (item.lane === undefined || item.lane !== other.lane) && !except.has(item),
    );
  }

  /** Takes what `next` gave, or another that may be run. With `whole`, the lane's next may be taken as well. */
  take(item: I, whole = false): void {
    this.#withdraw(item);
    item.state = 'running';
    this.reach.begin(item);
    item.taken = true;
    if (item.lane === undefined) return;
    const lane = this.#lane(item.lane);
    lane.taken += 1;
    if (whole) this.#offerNext(lane, true);
  }

  /** What was taken with `whole` is all: the next of its lanes wait until it is done. */
  closeBatch(taken: readonly I[]): void {
    for (const { lane: key } of taken) {
      const lane = key === undefined ? undefined : this.#lane(key);
      const next = lane === undefined ? undefined : activeOf(lane)[lane.taken];
      if (next?.state === 'waiting') this.#withdraw(next);
    }
  }

  /** It is run again later, first in its lane. */
  giveBack(item: I): void {
    item.state = 'waiting';
    item.taken = false;
    if (item.lane === undefined) return this.#offer(item);
    const lane = this.#lane(item.lane);
    lane.taken -= 1;
    if (lane.blocked && item.source === 'log') {
      this.#queueable.push(item);
      this.#queueable.sort((a, b) => a.position - b.position);
    }
    // Those behind it may have been offered to be taken together with it.
    for (const other of activeOf(lane)) if (other.state === 'waiting') this.#withdraw(other);
    this.#offerNext(lane);
  }

  /** It was handled, or written to failures. */
  finish(item: I): void {
    item.state = 'done';
    this.#drop(item);
    if (item.lane === undefined) return;
    const lane = this.#lane(item.lane);
    if (item.taken) lane.taken -= 1;
    item.taken = false;
    const active = item.source === 'log' ? lane.items : lane.records;
    const index = active.indexOf(item);
    if (index >= 0) active.splice(index, 1);
    this.#offerNext(lane);
    this.#forget(item.lane, lane);
  }

  /** It is being written to failures: passed as soon as that is committed together with the checkpoint. */
  passing(item: I): void {
    if (item.state === 'waiting') this.#withdraw(item);
    item.state = 'passing';
    if (item.lane !== undefined && item.taken)
      for (const other of activeOf(this.#lane(item.lane))) if (other.state === 'waiting') this.#withdraw(other);
    this.#drop(item);
  }

  #lane(key: string): Lane<I> {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { items: [], records: [], taken: 0, blocked: false }));
    return lane;
  }

  #forget(key: string, lane: Lane<I>): void {
    if (!lane.blocked && lane.items.length === 0 && lane.records.length === 0) this.#lanes.delete(key);
  }

  #offerNext(lane: Lane<I>, whole = false): void {
    if (lane.taken > 0 && !whole) return;
    const next = activeOf(lane)[lane.taken];
    if (next?.state === 'waiting') this.#offer(next);
  }

  /** Sorted by position; nearly always it goes to the end. */
  #offer(item: I): void {
    let index = this.#ready.length;
    while (index > 0 && (this.#ready[index - 1] as I).position > item.position) index -= 1;
    if (this.#ready[index - 1] !== item) this.#ready.splice(index, 0, item);
  }

  #withdraw(item: I): void {
    const index = this.#ready[0] === item ? 0 : this.#ready.indexOf(item);
    if (index === 0) this.#ready.shift();
    else if (index > 0) this.#ready.splice(index, 1);
  }

  #drop(item: I): void {
    if (item.source === 'log' && item.payload !== undefined) {
      this.#buffered.count -= 1;
      this.#buffered.bytes -= item.size;
    }
    item.payload = undefined;
  }
}

function activeOf<I>(lane: Lane<I>): I[] {
  return lane.blocked ? lane.records : lane.items;
}
