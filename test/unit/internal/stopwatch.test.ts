import { describe, expect, it } from 'vitest';

import { Stopwatch, systemClocks } from '../../../src/internal/stopwatch.js';

function setClocks(monotonic: number, wall: number) {
  const clocks = { monotonic, wall, monotonicMs: () => clocks.monotonic, wallMs: () => clocks.wall };
  return clocks;
}

describe('elapsed time', () => {
  it.each([
    { what: 'both clocks agree', monotonic: 50, wall: 50, elapsed: 50 },
    { what: 'the machine was suspended: the monotonic clock stood still', monotonic: 10, wall: 9_000, elapsed: 9_000 },
    { what: 'the wall clock was set back', monotonic: 70, wall: -3_600_000, elapsed: 70 },
    { what: 'the wall clock was set forward', monotonic: 70, wall: 3_600_000, elapsed: 3_600_000 },
  ])('is never less than what really passed: $what', ({ monotonic, wall, elapsed }) => {
    const clocks = setClocks(1_000, 1_700_000_000_000);
    const stopwatch = new Stopwatch(clocks);
    clocks.monotonic += monotonic;
    clocks.wall += wall;
    expect(stopwatch.elapsedMs()).toBe(elapsed);
    expect(stopwatch.monotonicElapsedMs()).toBe(monotonic);
  });

  it('runs by the clocks of the system', () => {
    expect(systemClocks.wallMs()).toBeCloseTo(Date.now(), -2);
    expect(systemClocks.monotonicMs()).toBeCloseTo(performance.now(), -2);
    expect(new Stopwatch().elapsedMs()).toBeGreaterThanOrEqual(0);
  });
});
