import type { Mark } from '../store/floor.js';

/** A message on its way through a consumer. */
export interface Item<T> {
  /** Where it is taken from: the log, or the consumer's failures. */
  readonly source: 'log' | 'failures';
  readonly position: number;
  /** What it is kept in order with: its key; undefined where it is its own. */
  readonly lane: string | undefined;
  /** Bytes in the log. */
  readonly size: number;
  /** The message as it was read; dropped once it is not needed any more. */
  payload: T | undefined;
  /**
   * waiting -> running -> done
   *               |-> held (failed, what becomes of it is not decided yet) -> waiting or passing
   *               `-> passing (being written to failures) -> done
   */
  state: 'waiting' | 'running' | 'held' | 'passing' | 'done';
  /** Whether it was ever run: then it may repeat after a crash. */
  begun: boolean;
  /** Whether it counts as under way in its lane. */
  taken: boolean;
}

interface Slot<T> extends Mark {
  /** Undefined where the position is passed over. */
  item: Item<T> | undefined;
}

/** The messages of one key. */
interface Lane<T> {
  /** Of the log, not done. */
  items: Item<T>[];
  /** Loaded from failures, not done. */
  records: Item<T>[];
  /** How many were taken and are neither done nor given back: the first ones of the items, or of the records. */
  taken: number;
  /** Whether failures of this key come first. */
  blocked: boolean;
}

/**
 * The messages above the checkpoint: which may be run next, in which order, and how far everything is done. Messages of
 * a lane are run in log order; those of a blocked lane wait for its failures.
 */
export class Window<T> {
  /** In log order, from the reached position on. */
  readonly #slots: Slot<T>[] = [];
  readonly #lanes = new Map<string, Lane<T>>();
  /** What may be run, lowest position first. */
  readonly #ready: Item<T>[] = [];
  #queueable: Item<T>[] = [];
  #reached: Mark;
  #last: number;
  #begun = 0;
  #begunReached = 0;
  #buffered = { count: 0, bytes: 0 };

  constructor(start: Mark) {
    this.#reached = start;
    this.#last = start.position;
  }

  /** Messages of the log that have not begun and hold memory. */
  get buffered(): Readonly<{ count: number; bytes: number }> {
    return this.#buffered;
  }

  /** How many messages of the log were ever begun, and how many of those are at or below the reached position. */
  get begun(): Readonly<{ total: number; reached: number }> {
    return { total: this.#begun, reached: this.#begunReached };
  }

  /** Position of the last message that was added or passed over. */
  get last(): number {
    return this.#last;
  }

  /** Passes a position over: filtered out, handled before, or in failures. */
  skip({ position, bytes }: Mark): void {
    this.#last = position;
    this.#slots.push({ position, bytes, item: undefined });
  }

  /** Adds a message of the log. */
  add(item: Item<T>, bytes: bigint): void {
    this.#last = item.position;
    this.#slots.push({ position: item.position, bytes, item });
    this.#buffered.count += 1;
    this.#buffered.bytes += item.size;
    if (item.lane === undefined) return this.#offer(item);
    const lane = this.#lane(item.lane);
    lane.items.push(item);
    if (lane.blocked) this.#queueable.push(item);
    else this.#offerNext(lane);
  }

  /** Adds messages of failures, lowest position first; those of a lane block it. */
  addRecords(records: readonly Item<T>[]): void {
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
  dropRecords(key: string): Item<T>[] {
    const lane = this.#lane(key);
    const dropped = lane.records.filter(({ state }) => state === 'waiting');
    lane.records = lane.records.filter(({ state }) => state !== 'waiting');
    for (const item of dropped) this.#withdraw(item);
    return dropped;
  }

  isBlocked(key: string): boolean {
    return this.#lanes.get(key)?.blocked ?? false;
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

  /** Messages of the log in blocked lanes that have come to wait since the last call. */
  takeQueueable(): Item<T>[] {
    if (this.#queueable.length === 0) return [];
    // One that is under way may still fail, and then comes before them.
    const underWay = (item: Item<T>) => this.#lane(item.lane as string).items.some(({ taken }) => taken);
    const blockedLater = new Map<string, boolean>();
    const free: Item<T>[] = [];
    const rest: Item<T>[] = [];
    for (const item of this.#queueable) {
      const key = item.lane as string;
      if (!blockedLater.has(key)) blockedLater.set(key, underWay(item));
      (blockedLater.get(key) === true ? rest : free).push(item);
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
  next(): Item<T> | undefined {
    return this.#ready[0];
  }

  /** The lowest message that may be run and is not of the lane of `other`. */
  nextBeside(other: Item<T>): Item<T> | undefined {
    return this.#ready.find((item) => item !== other && (item.lane === undefined || item.lane !== other.lane));
  }

  /** Takes what `next` gave, or another that may be run. With `whole`, the lane's next may be taken as well. */
  take(item: Item<T>, whole = false): void {
    this.#withdraw(item);
    item.state = 'running';
    if (item.source === 'log' && !item.begun) this.#begun += 1;
    item.begun = true;
    item.taken = true;
    if (item.lane === undefined) return;
    const lane = this.#lane(item.lane);
    lane.taken += 1;
    if (whole) this.#offerNext(lane, true);
  }

  /** It is run again later, first in its lane. */
  giveBack(item: Item<T>): void {
    item.state = 'waiting';
    item.taken = false;
    if (item.lane === undefined) return this.#offer(item);
    const lane = this.#lane(item.lane);
    lane.taken -= 1;
    // Those behind it may have been offered to be taken together with it.
    for (const other of activeOf(lane)) if (other.state === 'waiting') this.#withdraw(other);
    this.#offerNext(lane);
  }

  /** It was handled, or written to failures. */
  finish(item: Item<T>): void {
    item.state = 'done';
    this.#drop(item);
    if (item.lane === undefined) return;
    const lane = this.#lane(item.lane);
    if (item.taken) lane.taken -= 1;
    item.taken = false;
    if (item.source === 'log') lane.items.splice(lane.items.indexOf(item), 1);
    else lane.records.splice(lane.records.indexOf(item), 1);
    this.#offerNext(lane);
    this.#forget(item.lane, lane);
  }

  /** It is being written to failures: passed as soon as that is committed together with the checkpoint. */
  passing(item: Item<T>): void {
    if (item.state === 'waiting') this.#withdraw(item);
    item.state = 'passing';
    this.#drop(item);
  }

  /** The place up to which everything is done or passing. */
  reached(): Mark {
    let taken = 0;
    for (const slot of this.#slots) {
      const state = slot.item?.state ?? 'done';
      if (state !== 'done' && state !== 'passing') break;
      if (slot.item?.begun === true) this.#begunReached += 1;
      this.#reached = { position: slot.position, bytes: slot.bytes };
      taken += 1;
    }
    if (taken > 0) this.#slots.splice(0, taken);
    return this.#reached;
  }

  /** Positions above the reached one that were handled. */
  handledAbove(): number[] {
    return this.#slots.filter(({ item }) => item?.begun === true && item.state === 'done').map((slot) => slot.position);
  }

  /** The highest position that may be begun when the reached one is stored: `size` messages above it. */
  end(size: number): number {
    let count = 0;
    for (const { item, position } of this.#slots) {
      if (item === undefined) continue;
      count += 1;
      if (count === size) return position;
    }
    return this.#last + (size - count);
  }

  #lane(key: string): Lane<T> {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { items: [], records: [], taken: 0, blocked: false }));
    return lane;
  }

  #forget(key: string, lane: Lane<T>): void {
    if (!lane.blocked && lane.items.length === 0 && lane.records.length === 0) this.#lanes.delete(key);
  }

  #offerNext(lane: Lane<T>, whole = false): void {
    if (lane.taken > 0 && !whole) return;
    const next = activeOf(lane)[lane.taken];
    if (next?.state === 'waiting') this.#offer(next);
  }

  /** Sorted by position; nearly always it goes to the end. */
  #offer(item: Item<T>): void {
    let index = this.#ready.length;
    while (index > 0 && (this.#ready[index - 1] as Item<T>).position > item.position) index -= 1;
    if (this.#ready[index - 1] !== item) this.#ready.splice(index, 0, item);
  }

  #withdraw(item: Item<T>): void {
    const index = this.#ready[0] === item ? 0 : this.#ready.indexOf(item);
    if (index === 0) this.#ready.shift();
    else if (index > 0) this.#ready.splice(index, 1);
  }

  #drop(item: Item<T>): void {
    if (item.source === 'log' && item.payload !== undefined) {
      this.#buffered.count -= 1;
      this.#buffered.bytes -= item.size;
    }
    item.payload = undefined;
  }
}

function activeOf<T>(lane: Lane<T>): Item<T>[] {
  return lane.blocked ? lane.records : lane.items;
}
