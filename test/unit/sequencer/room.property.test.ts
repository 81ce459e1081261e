import fc from 'fast-check';
import { expect, it } from 'vitest';

import { driftOf, fits, floorTarget, roomAbove, type RoomFigures } from '../../../src/sequencer/room.js';
import type { LogMark } from '../../../src/store/log-marks.js';

/** What may happen to a log, in any order. */
type Step =
  | { step: 'append'; sizes: number[] }
  | { step: 'stray'; sizes: number[] }
  | { step: 'pass'; by: number }
  | { step: 'crash'; bytes: number; messages: number };

const largest = { bytes: 2_500, messages: 25 };
const steps = (size: fc.Arbitrary<number>): fc.Arbitrary<Step[]> => {
  const sizes = fc.array(size, { minLength: 1, maxLength: 25, size: 'max' });
  return fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ step: fc.constant('append' as const), sizes }) },
      { weight: 2, arbitrary: fc.record({ step: fc.constant('stray' as const), sizes }) },
      { weight: 5, arbitrary: fc.record({ step: fc.constant('pass' as const), by: fc.nat(15) }) },
      {
        weight: 1,
        arbitrary: fc.record({ step: fc.constant('crash' as const), bytes: fc.nat(3_000), messages: fc.nat(20) }),
      },
    ),
    { maxLength: 80, size: 'max' },
  );
};

/** A capped collection as the server keeps it, with a sequencer that appends only what fits and a consumer that passes. */
class Log {
  readonly cap = { sizeBytes: 10_000, maxMessages: 100 };
  /** Of all entries that were ever appended, by position. */
  readonly marks: LogMark[] = [{ position: 0, bytes: 0n }];
  /** What is there in the order of insertion; a stray has no position of its own. */
  readonly #stored: { position: number | undefined; size: number }[] = [{ position: 0, size: 60 }];
  /** The server's own count, by which it evicts. */
  readonly #reported = { bytes: 60, messages: 1 };
  /** What the consumer has passed, and the floor that was stored. */
  #passed = 0;
  #floor = 0;
  #mayStray = false;

  apply(given: Step): void {
    switch (given.step) {
      case 'append':
        this.#append(given.sizes);
        break;
      case 'stray':
        this.#stray(given.sizes);
        break;
      case 'pass':
        this.#passed = Math.min(this.#newest.position, this.#passed + given.by);
        break;
      case 'crash':
        this.#reported.bytes += given.bytes;
        this.#reported.messages += given.messages;
        this.#mayStray = false;
        break;
    }
    const oldest = Math.min(...this.#stored.map(({ position }) => position ?? Infinity));
    expect(oldest, 'an entry that the consumer has not passed was evicted').toBeLessThanOrEqual(this.#passed + 1);
  }

  /** Everything is passed: then a message can be appended, whatever the server counts. */
  drain(): void {
    this.#passed = this.#newest.position;
    const before = this.#newest.position;
    this.#append([600]);
    expect(this.#newest.position).toBe(before + 1);
  }

  get #newest(): LogMark {
    return this.marks.at(-1)!;
  }

  #append(wanted: readonly number[]): void {
    for (let count = wanted.length; count > 0; count = Math.floor(count / 2)) {
      const batch = { bytes: sum(wanted.slice(0, count)), messages: count };
      if (batch.bytes > largest.bytes) continue;
      if (!fits(batch, roomAbove(this.#figures()))) this.#raiseFloor(batch);
      const room = roomAbove(this.#figures());
      if (!fits(batch, room)) continue;
      // A single message goes also without room: that is worth more than an entry that a stale sequencer may then evict.
      const alone = batch.messages === 1 && room.nothingUnpassed;
      this.#mayStray = !alone || (batch.bytes <= room.bytes && batch.messages <= room.messages);
      for (const size of wanted.slice(0, count)) {
        const { position, bytes } = this.#newest;
        this.marks.push({ position: position + 1, bytes: bytes + BigInt(size) });
        this.#insert(position + 1, size);
      }
      return;
    }
  }

  #raiseFloor(batch: { bytes: number; messages: number }): void {
    const { leastBytes, position } = floorTarget(this.#figures(), batch);
    const wanted = this.marks.find((mark) => mark.bytes >= leastBytes && mark.position >= position) ?? this.#newest;
    // Never past what the consumer has passed.
    this.#floor = Math.max(this.#floor, Math.min(wanted.position, this.#passed));
  }

  /** At most one largest append between two readings of the figures, and none that was under way over a crash. */
  #stray(wanted: readonly number[]): void {
    if (!this.#mayStray || sum(wanted) > largest.bytes) return;
    this.#mayStray = false;
    for (const size of wanted) this.#insert(undefined, size);
  }

  #figures(): RoomFigures {
    const oldest = this.#stored.find(({ position }) => position !== undefined)!.position!;
    const overwritten = this.marks[Math.max(0, oldest - 1)]!;
    const base = this.#newest;
    return {
      cap: this.cap,
      base,
      floor: this.marks[this.#floor]!,
      drift: driftOf(this.#reported, overwritten, base),
      largest,
    };
  }

  #insert(position: number | undefined, size: number): void {
    this.#stored.push({ position, size });
    this.#reported.bytes += size;
    this.#reported.messages += 1;
    // From the front, and never the newest one.
    while (this.#stored.length > 1 && this.#isOver()) {
      const gone = this.#stored.shift()!;
      this.#reported.bytes -= gone.size;
      this.#reported.messages -= 1;
    }
  }

  #isOver(): boolean {
    return this.#reported.bytes > this.cap.sizeBytes || this.#reported.messages > this.cap.maxMessages;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

it('in any history no unpassed entry is evicted, and what is passed makes room', () => {
  fc.assert(
    // Small ones meet the cap by count first, large ones that by size.
    fc.property(
      fc.oneof(steps(fc.integer({ min: 50, max: 70 })), steps(fc.integer({ min: 50, max: 600 }))),
      (course) => {
        const log = new Log();
        for (const each of course) log.apply(each);
        log.drain();
      },
    ),
    { numRuns: 200 },
  );
});
