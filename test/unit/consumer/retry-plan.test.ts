import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { afterFailure, probeDelayMs, retryDelayMs } from '../../../src/consumer/retry-plan.js';
import { PermanentError, RetryAfter, Unavailable } from '../../../src/verdict.js';

const retry = { maxAttempts: 4, initialDelayMs: 100, maxDelayMs: 1_000, factor: 3, jitter: 0 };

describe('after a failure', () => {
  it.each<[attempts: number, error: unknown, expected: object]>([
    [1, new Error(), { state: 'retrying', delayMs: 100 }],
    [2, new Error(), { state: 'retrying', delayMs: 300 }],
    [3, new Error(), { state: 'retrying', delayMs: 900 }],
    [4, new Error(), { state: 'dead' }],
    [5, new Error(), { state: 'dead' }],
    [1, new PermanentError(), { state: 'dead' }],
    [1, new RetryAfter(5), { state: 'retrying', delayMs: 5 }],
    [3, new RetryAfter(500_000), { state: 'retrying', delayMs: 500_000 }],
    [4, new RetryAfter(5), { state: 'dead' }],
    [1, new Unavailable(), { state: 'retrying', delayMs: 100 }],
    [1, 'no Error', { state: 'retrying', delayMs: 100 }],
    [1, undefined, { state: 'retrying', delayMs: 100 }],
  ])('attempt %i with %o', (attempts, error, expected) => {
    expect(afterFailure(attempts, error, retry)).toEqual(expected);
  });
});

it('any message has as many attempts as it is given, and no shorter a delay from one to the next', () => {
  const options = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 50 }),
    initialDelayMs: fc.integer({ min: 1, max: 10_000 }),
    maxDelayMs: fc.integer({ min: 10_000, max: 604_800_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(options, fc.double({ min: 0, max: 0.999, noNaN: true }), (given, drawn) => {
      let attempts = 1;
      let delay = 0;
      for (;;) {
        const after = afterFailure(attempts, new Error(), given, () => drawn);
        expect(afterFailure(attempts, new PermanentError(), given, () => drawn)).toEqual({ state: 'dead' });
        if (after.state === 'dead') break;
        expect(after.delayMs).toBeGreaterThanOrEqual(delay);
        expect(after.delayMs).toBeGreaterThanOrEqual(Math.floor((1 - given.jitter) * given.initialDelayMs));
        delay = after.delayMs;
        attempts += 1;
      }
      expect(attempts).toBe(given.maxAttempts);
    }),
  );
});

describe('the delay before the next attempt', () => {
  it.each<[attempts: number, delayMs: number]>([
    [1, 100],
    [2, 300],
    [3, 900],
    [4, 1_000],
    [1_000, 1_000],
    [10_000, 1_000],
  ])('after attempt %i is %i ms', (attempts, delayMs) => {
    expect(retryDelayMs(attempts, retry, () => 0.5)).toBe(delayMs);
  });

  it.each<[jitter: number, random: number, delayMs: number]>([
    [0.5, 0, 100],
    [0.5, 0.5, 75],
    [0.5, 0.999_999, 51],
    [1, 0.999_999, 1],
  ])('with jitter %d and a random number of %d is %i ms', (jitter, random, delayMs) => {
    expect(retryDelayMs(1, { ...retry, jitter }, () => random)).toBe(delayMs);
  });

  it('is a whole number of milliseconds in its limits, whatever the options', () => {
    const options = fc.record({
      maxAttempts: fc.integer({ min: 1, max: 1_000 }),
      initialDelayMs: fc.integer({ min: 1, max: 86_400_000 }),
      maxDelayMs: fc.integer({ min: 86_400_000, max: 604_800_000 }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 1_000 }), random, (given, attempts, drawn) => {
        const delay = retryDelayMs(attempts, given, () => drawn);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(1);
        expect(delay).toBeLessThanOrEqual(given.maxDelayMs);
        const probe = probeDelayMs(attempts, given, () => drawn);
        expect(probe).toBeGreaterThanOrEqual(1);
        expect(probe).toBeLessThanOrEqual(30_000);
      }),
    );
  });
});

it.each<[refused: number, delayMs: number]>([
  [0, 100],
  [1, 300],
  [2, 900],
  [3, 1_000],
  [100, 1_000],
])('probes again after %i refused rounds in %i ms', (refused, delayMs) => {
  expect(probeDelayMs(refused, retry, () => 0)).toBe(delayMs);
});

it('probes at least every 30 seconds, whatever a retry may wait', () => {
  expect(probeDelayMs(100, { ...retry, maxDelayMs: 300_000 }, () => 0)).toBe(30_000);
  expect(probeDelayMs(0, { ...retry, initialDelayMs: 300_000, maxDelayMs: 300_000 }, () => 0)).toBe(30_000);
});
