import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { CheckpointTiming } from '../../../src/consumer/checkpoint-timing.js';
import type { FailureLoader } from '../../../src/consumer/failure-loader.js';
import type { TermState } from '../../../src/consumer/term-state.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const batchSize = 10;
const commitDelayMs = 100;
const mostRetryMs = 1_000;
/** How often the term looks. */
const lookMs = 10;

type Step =
  | { step: 'handle'; count: number }
  | { step: 'change' | 'rest' }
  | { step: 'answer'; works: boolean }
  | { step: 'pass'; ms: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ step: fc.constant('handle' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constantFrom('change' as const, 'rest' as const) }) },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('answer' as const), works: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('pass' as const), ms: fc.nat(300) }) },
);

/** A writer whose server answers when the test says so, and a term that asks after each step, and when something is due. */
class Term {
  handled = 0;
  changes = 0;
  writes = 0;
  readonly wrong: string[] = [];
  /** Since when progress waits. */
  waitingSince: number | undefined;
  #answer:
    | { resolve: (written: boolean) => void; reject: (error: Error) => void; handled: number; changes: number }
    | undefined;
  #stored = { position: 0, begun: batchSize };
  readonly timing: CheckpointTiming;

  constructor() {
    const writer = Object.defineProperties(
      {},
      {
        busy: { get: () => this.#answer !== undefined },
        stored: { get: () => this.#stored },
        isDue: { get: () => this.isDue },
        hasChanges: { get: () => this.changes > 0 },
        exposed: { get: () => this.handled - this.#stored.position },
        nextEnd: { get: () => this.handled + batchSize },
        write: { value: () => this.#write() },
      },
    );
    this.timing = new CheckpointTiming(
      {
        setup: { options: { transactional: false, batchSize }, consumer: 'c', lease: { epoch: 1 } },
        host: { options: { pollMinMs: 5 }, emit: () => undefined },
        window: { next: () => ({ source: 'log', position: this.handled + 1 }) },
        writer,
        solo: { isUnwritten: false },
        running: new Map(),
        wakeUp: () => undefined,
        report: () => undefined,
      } as unknown as TermState,
      { isBusy: false } as FailureLoader,
    );
  }

  get isDue(): boolean {
    return this.changes > 0 || this.handled > this.#stored.position;
  }

  get busy(): boolean {
    return this.#answer !== undefined;
  }

  /** As the loop of a term: it looks after each step. */
  look(): void {
    const now = performance.now();
    this.timing.store(now);
    if (this.isDue && !this.busy) this.waitingSince ??= now;
    // Whatever is due is written by its time, which begins anew when the server has failed.
    if (this.waitingSince !== undefined && !this.busy)
      expect(now).toBeLessThan(Math.max(this.waitingSince, this.timing.retryAt) + commitDelayMs + lookMs);
    expect(this.wrong).toEqual([]);
    // Half of the room is taken: it is made before it is needed.
    if (2 * (this.handled - this.#stored.position) >= batchSize && !this.busy)
      expect(now).toBeLessThan(this.timing.retryAt);
  }

  async answer(works: boolean): Promise<void> {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = undefined;
    if (works) {
      this.#stored = { position: answer.handled, begun: answer.handled + batchSize };
      this.changes -= answer.changes;
      answer.resolve(true);
    } else {
      answer.reject(new Error('no connection'));
    }
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    this.waitingSince = this.isDue ? performance.now() : undefined;
  }

  #write(): Promise<boolean> {
    // Noted, since what is thrown here counts as an error of the server.
    if (this.busy) this.wrong.push('a write beside another');
    if (performance.now() < this.timing.retryAt) this.wrong.push('a write too soon after an error');
    this.writes += 1;
    this.waitingSince = undefined;
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject, handled: this.handled, changes: this.changes };
    });
  }
}

it('whenever messages are handled and the server answers, one write follows another, none is late and none is pointless', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const term = new Term();
      for (const each of steps) {
        const { isDue, writes } = term;
        switch (each.step) {
          case 'handle':
            term.handled += each.count;
            break;
          case 'change':
            term.changes += 1;
            break;
          case 'rest':
            term.timing.rest();
            break;
          case 'answer':
            await term.answer(each.works);
            break;
          case 'pass':
            // It is woken when something is due.
            for (let left = each.ms; left > 0; left -= lookMs) {
              vi.advanceTimersByTime(Math.min(left, lookMs));
              term.look();
            }
            break;
        }
        term.look();
        if (each.step === 'pass' && !isDue) expect(term.writes).toBe(writes);
        expect(term.timing.retryAt).toBeLessThanOrEqual(performance.now() + mostRetryMs);
      }
      // In the end everything is stored.
      for (let round = 0; round < 30 && (term.busy || term.isDue); round += 1) {
        await term.answer(true);
        vi.advanceTimersByTime(commitDelayMs + mostRetryMs);
        term.timing.store(performance.now());
      }
      expect(term.isDue || term.busy).toBe(false);
    }),
    { numRuns: 150 },
  );
});
