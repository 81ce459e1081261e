import type { LogMark } from '../store/log-marks.js';
import type { Item } from './item.js';

interface Slot<I> extends LogMark {
  /** Undefined where the position is passed over. */
  item: I | undefined;
}

/** How far the messages of the log are done, and which above that are: what a checkpoint stores. */
export class Reach<I extends Item> {
  /** In log order, from the reached position on. */
  readonly #slots: Slot<I>[] = [];
  #reached: LogMark;
  /** The last position that was added or passed over. */
  #last: number;
  #begun = 0;
  #begunReached = 0;
  /** Positions above the reached one that were handled as failures, and are no item here: their records are gone. */
  readonly #apart = new Set<number>();

  constructor(start: LogMark) {
    this.#reached = start;
    this.#last = start.position;
  }

  /** How many messages of the log were ever begun, and how many of those are at or below the reached position. */
  get begun(): Readonly<{ total: number; reached: number }> {
    return { total: this.#begun, reached: this.#begunReached };
  }

  /** How many messages, and runs of passed over ones, are above the reached position. */
  get length(): number {
    return this.#slots.length;
  }

  /** Passes a position over: filtered out, handled before, or in failures. */
  skip({ position, bytes }: LogMark): void {
    this.#last = position;
    // However many are passed over behind a message that is stuck, they take no more room than one.
    const before = this.#slots.at(-1);
    if (before !== undefined && before.item === undefined) Object.assign(before, { position, bytes });
    else this.#slots.push({ position, bytes, item: undefined });
  }

  add(item: I, bytes: bigint): void {
    this.#last = item.position;
    this.#slots.push({ position: item.position, bytes, item });
  }

  /** It is run, and may repeat after a crash. */
  begin(item: I): void {
    if (item.source === 'log' && !item.begun) this.#begun += 1;
    item.begun = true;
  }

  /** Moves to the place up to which everything is done or passing, and forgets what is below. */
  advance(): LogMark {
    let taken = 0;
    for (const slot of this.#slots) {
      const state = slot.item?.state ?? 'done';
      if (state !== 'done' && state !== 'passing') break;
      if (slot.item?.begun === true) this.#begunReached += 1;
      this.#reached = { position: slot.position, bytes: slot.bytes };
      taken += 1;
    }
    if (taken > 0) this.#slots.splice(0, taken);
    for (const position of this.#apart) {
      if (position > this.#reached.position) continue;
      this.#apart.delete(position);
      this.#begunReached += 1;
    }
    return this.#reached;
  }

  /** Positions above the reached one that were handled. */
  handledAbove(): number[] {
    return [...this.#slots.filter((slot) => this.#isHandled(slot)).map((slot) => slot.position), ...this.#apart];
  }

  /** A failure was handled: above the reached position it is as if its message had been handled from the log. */
  endedApart(position: number): void {
    if (position <= this.#reached.position || this.#apart.has(position)) return;
    const item = this.#slots.find((slot) => slot.position === position)?.item;
    if (item !== undefined) return this.begin(item);
    this.#apart.add(position);
    this.#begun += 1;
  }

  /** Whether the message was handled as a failure, of which nothing is left but this. */
  hasEndedApart(position: number): boolean {
    return this.#apart.has(position);
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
      else if (slot.item === item || this.#isHandled(slot)) handled.push(slot.position);
    }
    const above = [...this.#apart].filter((position) => position > mark.position);
    // Also where it is a failure: its record goes, and its position would be read from the log again.
    if (item.source === 'failures' && item.position > mark.position) above.push(item.position);
    return { position: mark.position, bytes: mark.bytes, handled: [...new Set([...handled, ...above])] };
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
}
