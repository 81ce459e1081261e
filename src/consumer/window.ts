import type { LogMark } from '../store/log-marks.js';

/** A message on its way through a consumer. */
export interface Item {
  /** Where it is taken from: the log, or the consumer's failures. */
  readonly source: 'log' | 'failures';
  readonly position: number;
  /** What it is kept in order with: its key; undefined where it is its own. */
  readonly lane: string | undefined;
  /** Bytes in the log. */
  readonly size: number;
  /** The message as it was read; dropped once it is not needed any more. */
  payload: unknown;
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

interface Slot<I> extends LogMark {
  /** Undefined where the position is passed over. */
  item: I | undefined;
}

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
 * The messages above the checkpoint: which may be run next, in which order, and how far everything is done. Messages of
 * a lane are run in log order; those of a blocked lane wait for its failures.
 */
export class Window<I extends Item> {
  /** In log order, from the reached position on. */
  readonly #slots: Slot<I>[] = [];
  readonly #lanes = new Map<string, Lane<I>>();
  /** What may be run, lowest position first. */
  readonly #ready: I[] = [];
  #queueable: I[] = [];
  #reached: LogMark;
  #last: number;
  #begun = 0;
  #begunReached = 0;
  readonly #buffered = { count: 0, bytes: 0 };

  constructor(start: LogMark) {
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

  /** How many messages, and runs of passed over ones, are above the reached position. */
  get length(): number {
    return this.#slots.length;
  }

  /** Position of the last message that was added or passed over. */
  get last(): number {
    return this.#last;
  }

  /** Passes a position over: filtered out, handled before, or in failures. */
  skip({ position, bytes }: LogMark): void {
    this.#last = position;
    // However many are passed over behind a message that is stuck, they take no more room than one.
    const before = this.#slots.at(-1);
    if (before !== undefined && before.item === undefined) Object.assign(before, { position, bytes });
    else this.#slots.push({ position, bytes, item: undefined });
  }

  /** Adds a message of the log. */
  add(item: I, bytes: bigint): void {
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
    if (item.source === 'log' && !item.begun) this.#begun += 1;
    item.begun = true;
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

  /** The place up to which everything is done or passing. */
  reached(): LogMark {
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
    return this.#slots.filter((slot) => this.#isHandled(slot)).map((slot) => slot.position);
  }

  /** A failure was handled: above the reached position it is as if its message had been handled from the log. */
  endedApart(position: number): void {
    if (position <= this.#reached.position) return;
    const item = this.#slots.find((slot) => slot.position === position)?.item;
    if (item === undefined || item.begun) return;
    item.begun = true;
    this.#begun += 1;
  }

  /** Whether everything before the message is done. */
  isLowest(item: I): boolean {
    return this.#slots[0]?.item === item;
  }

  #isHandled({ item }: Slot<I>): boolean {
    return item?.begun === true && item.state === 'done';
  }

  /** The place that would be reached, and what would be handled above it, were `item` done as well. */
  reachedWith(item: I): LogMark & { handled: number[] } {
    let mark = this.#reached;
    let contiguous = true;
    const handled: number[] = [];
    for (const slot of this.#slots) {
      // What is being written to failures is not: that is in no handler's transaction.
      const done = slot.item === undefined || slot.item === item || slot.item.state === 'done';
      contiguous &&= done;
      if (contiguous) mark = { position: slot.position, bytes: slot.bytes };
      // Also where it is a failure: its record goes, and its position would be read from the log again.
      else if (slot.position === item.position || this.#isHandled(slot)) handled.push(slot.position);
    }
    return { position: mark.position, bytes: mark.bytes, handled };
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
