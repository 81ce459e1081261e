import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { HeldLease } from '../../../src/internal/held-lease.js';
import { Stopwatch } from '../../../src/internal/stopwatch.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const leaseMs = 3_000;
const trustedMs = 2_000;

/** How a renewal goes: after so long it is granted, fails, or finds the lease in other hands; or it never answers. */
interface Renewal {
  readonly afterMs: number;
  readonly outcome: 'granted' | 'failed' | 'taken' | 'silent';
}
const renewal: fc.Arbitrary<Renewal> = fc.record({
  afterMs: fc.oneof({ weight: 4, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(3_000) }),
  outcome: fc.oneof(
    { weight: 12, arbitrary: fc.constant('granted' as const) },
    { weight: 6, arbitrary: fc.constant('failed' as const) },
    { weight: 1, arbitrary: fc.constantFrom('taken' as const, 'silent' as const) },
  ),
});
/** The wall clock is set, or the machine was suspended: then the wall clock alone goes on. */
const step = fc.record({
  passMs: fc.nat(700),
  wallMs: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -5_000, max: 2_500 })),
});

it('however renewals go and clocks are set, the lease is never trusted for longer than two thirds from before a renewal was sent', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(renewal, { minLength: 1, maxLength: 12 }),
      fc.array(step, { maxLength: 15 }),
      async (renewals, steps) => {
        // Of the last one that was granted: the two clocks when it was sent.
        let sent = { monotonic: performance.now(), wall: Date.now() };
        let answered = { monotonic: performance.now(), server: 1_000_000 };
        let round = 0;
        let taken = false;
        const lease: HeldLease = new HeldLease(1, leaseMs, new Stopwatch(), answered.server, () => {
          const { afterMs, outcome } = renewals[round++ % renewals.length]!;
          const when = { monotonic: performance.now(), wall: Date.now() };
          if (outcome === 'silent') return new Promise(() => undefined);
          return new Promise((resolve, reject) =>
            setTimeout(() => {
              if (outcome === 'failed') return reject(new Error('no connection'));
              if (outcome === 'taken') {
                taken ||= lease.end === undefined;
                return resolve(undefined);
              }
              if (lease.end === undefined) {
                sent = when;
                answered = { monotonic: performance.now(), server: answered.server + 1 };
              }
              resolve(answered.server);
            }, afterMs),
          );
        });
        let ended = false;
        const check = (): void => {
          const passed = Math.max(performance.now() - sent.monotonic, Date.now() - sent.wall);
          const remaining = lease.remainingMs();
          expect(remaining).toBeLessThanOrEqual(Math.max(0, trustedMs - passed));
          if (passed >= trustedMs) expect(lease.end).toBeDefined();
          expect(lease.lost.aborted).toBe(lease.end !== undefined);
          expect(remaining > 0).toBe(lease.end === undefined);
          if (ended) expect(lease.end).toBeDefined();
          ended = lease.end !== undefined;
          if (!ended)
            expect(lease.serverNow()).toBe(Math.floor(answered.server + performance.now() - answered.monotonic));
          if (lease.end === 'taken') expect(taken).toBe(true);
        };
        for (const { passMs, wallMs } of steps) {
          vi.setSystemTime(Date.now() + wallMs);
          check();
          await vi.advanceTimersByTimeAsync(passMs);
          check();
        }
        lease.finish('closed');
        await vi.advanceTimersByTimeAsync(4_000);
        check();
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});

it('where every renewal is granted in time and no clock jumps, the lease lasts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(900), { minLength: 1, maxLength: 10 }), async (delays) => {
      let round = 0;
      const lease = new HeldLease(1, leaseMs, new Stopwatch(), 0, () => {
        const afterMs = delays[round++ % delays.length]!;
        return new Promise((resolve) => setTimeout(resolve, afterMs, 0));
      });
      await vi.advanceTimersByTimeAsync(20_000);
      expect(lease.end).toBeUndefined();
      lease.finish('closed');
      await vi.advanceTimersByTimeAsync(1_000);
    }),
    { numRuns: 30 },
  );
});
