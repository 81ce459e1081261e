import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { backoffMs } from '../../../src/internal/backoff.js';

const least = () => 0;
const most = () => 1;

describe('the delay', () => {
  it.each([
    { attempt: 0, from: 10, to: 20 },
    { attempt: 1, from: 20, to: 40 },
    { attempt: 2, from: 40, to: 80 },
    { attempt: 5, from: 250, to: 500 },
    { attempt: 1_000_000, from: 250, to: 500 },
  ])('before attempt $attempt is between $from and $to ms', ({ attempt, from, to }) => {
    expect(backoffMs(attempt, 20, 500, least)).toBe(from);
    expect(backoffMs(attempt, 20, 500, most)).toBe(to);
  });

  it('is never above the most, never negative, and a number for any attempt', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 600_000 }),
        (n, first, top) => {
          const delay = backoffMs(n, first, top);
          expect(delay).toBeGreaterThan(0);
          expect(delay).toBeLessThanOrEqual(top);
        },
      ),
    );
  });

  it('differs from process to process', () => {
    expect(new Set(Array.from({ length: 20 }, () => backoffMs(3, 20, 5_000))).size).toBeGreaterThan(1);
  });
});
