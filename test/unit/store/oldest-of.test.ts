import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { oldestOf } from '../../../src/store/log-bounds.js';
import { logSteps, simulateLog } from '../../support/capped-log.js';

const run = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('the oldest position of a log', () => {
  it.each([
    { log: 'nothing at all', positions: [], oldest: undefined },
    { log: 'the genesis entry', positions: [0], oldest: 0 },
    { log: 'never overwritten', positions: run(0, 20), oldest: 0 },
    { log: 'overwritten', positions: run(7, 20), oldest: 7 },
    { log: 'one entry', positions: [9], oldest: 9 },
    { log: 'a stray entry at the front', positions: [3, ...run(10, 20)], oldest: 10 },
    { log: 'a stray entry in the middle', positions: [...run(10, 15), 3, ...run(16, 20)], oldest: 10 },
    { log: 'a stray entry at the end', positions: [...run(10, 20), 3], oldest: 10 },
    { log: 'a stray entry right before the oldest, inserted last', positions: [...run(10, 20), 9], oldest: 10 },
    { log: 'the same, in the middle', positions: [...run(10, 15), 9, ...run(16, 20)], oldest: 10 },
    { log: 'the same, with what was before it overwritten', positions: [9, ...run(16, 20)], oldest: 16 },
    { log: 'a run of stray entries at the front', positions: [...run(3, 6), ...run(10, 20)], oldest: 10 },
    {
      log: 'a run of stray entries that ends right before the oldest',
      positions: [...run(10, 20), ...run(7, 9)],
      oldest: 10,
    },
    { log: 'two runs of stray entries', positions: [3, 4, ...run(10, 12), 6, 7, ...run(13, 20)], oldest: 10 },
    { log: 'stray entries of two processes in turn', positions: [3, 6, 4, 7, ...run(10, 20)], oldest: 10 },
    { log: 'stray entries before a single one', positions: [...run(3, 6), 20], oldest: 20 },
    { log: 'the genesis entry as a stray', positions: [...run(1, 5), 0], oldest: 1 },
  ])('$log: $oldest', ({ positions, oldest }) => {
    expect(oldestOf(positions)).toBe(oldest);
  });
});

describe('in any history of appends, overwriting and stale processes', () => {
  it('the oldest is the first entry that is no stray', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 40 }),
        fc.array(logSteps(6), { maxLength: 40, size: 'max' }),
        (capacity, steps) => {
          const { stored: log } = simulateLog(capacity, steps);
          expect(oldestOf(log.map(({ position }) => position))).toBe(log.find(({ stray }) => !stray)?.position);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('the front of the log is enough to find it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 30, max: 60 }),
        fc.array(logSteps(6), { minLength: 20, maxLength: 40, size: 'max' }),
        fc.integer({ min: 1, max: 10 }),
        (capacity, steps, more) => {
          const { stored: log } = simulateLog(capacity, steps);
          const first = log.findIndex(({ stray }) => !stray);
          // As long as it reaches beyond the strays at the front.
          const front = log.slice(0, first + more);
          expect(oldestOf(front.map(({ position }) => position))).toBe(log[first]?.position);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
