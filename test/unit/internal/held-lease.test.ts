import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { pause } from '../../../src/internal/abort.js';
import { HeldLease } from '../../../src/internal/held-lease.js';
import { Stopwatch } from '../../../src/internal/stopwatch.js';

const leaseMs = 3_000;
const serverStart = 1_000_000;
type Renewal = { resolve: (serverNow: number | undefined) => void; reject: (error: Error) => void; at: number };

let renewals: Renewal[];
let begun: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  renewals = [];
  begun = performance.now();
});

const held: HeldLease[] = [];
afterEach(async () => {
  for (const lease of held.splice(0)) lease.finish('closed');
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const now = () => performance.now() - begun;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A lease whose renewals the test answers. */
function hold(answer?: () => Promise<number | undefined>): HeldLease {
  const lease = new HeldLease(7, leaseMs, new Stopwatch(), serverStart, () => {
    const renewal = new Promise<number | undefined>((resolve, reject) => renewals.push({ resolve, reject, at: now() }));
    return answer?.() ?? renewal;
  });
  held.push(lease);
  return lease;
}

describe('a held lease', () => {
  it('is renewed at each third of its time', async () => {
    const lease = hold(() => Promise.resolve(serverStart + now()));
    await pass(5_000);
    expect(renewals.map(({ at }) => at)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
    expect(lease.lost.aborted).toBe(false);
    expect(lease.end).toBeUndefined();
  });

  it('is trusted for two thirds of its time, and no longer', async () => {
    const lease = hold();
    expect(lease.remainingMs()).toBe(2_000);
    await pass(1_999);
    expect(lease.remainingMs()).toBe(1);
    expect(lease.lost.aborted).toBe(false);
    await pass(1);
    expect(lease.lost.aborted).toBe(true);
    expect(lease.end).toBe('expired');
    expect(lease.remainingMs()).toBe(0);
  });

  it('is trusted from before the renewal was sent, not from its answer', async () => {
    const lease = hold();
    await pass(1_000);
    await pass(700);
    renewals[0]!.resolve(serverStart + 1_000);
    await pass(0);
    expect(lease.remainingMs()).toBe(1_300);
    await pass(1_299);
    expect(lease.lost.aborted).toBe(false);
    await pass(1);
    expect(lease.end).toBe('expired');
  });

  it('is trusted from before it was acquired, not from the answer', async () => {
    const sent = new Stopwatch();
    await pass(1_500);
    const lease = new HeldLease(1, leaseMs, sent, serverStart, () => new Promise(() => undefined));
    held.push(lease);
    expect(lease.remainingMs()).toBe(500);
    await pass(500);
    expect(lease.end).toBe('expired');
  });

  it('that was acquired too late is lost at once', async () => {
    const sent = new Stopwatch();
    await pass(2_000);
    const lease = new HeldLease(1, leaseMs, sent, serverStart, () => Promise.resolve(serverStart));
    held.push(lease);
    expect(lease.remainingMs()).toBe(0);
    expect(lease.lost.aborted).toBe(true);
  });
});

describe('a renewal', () => {
  it('that fails is tried again at a fifteenth of the time, and saves the lease when that works', async () => {
    const lease = hold();
    await pass(1_000);
    renewals[0]!.reject(new Error('no connection'));
    await pass(200);
    expect(renewals.map(({ at }) => at)).toEqual([1_000, 1_200]);
    renewals[1]!.resolve(serverStart + 1_200);
    await pass(0);
    expect(lease.remainingMs()).toBe(2_000);
    await pass(1_000);
    expect(renewals).toHaveLength(3);
    expect(lease.lost.aborted).toBe(false);
  });

  it('that takes long is followed by the next one as early, so that the lease lasts', async () => {
    const lease = hold(async () => {
      // On the fake clock, as everything here.
      await pause(900);
      return serverStart;
    });
    await pass(10_000);
    expect(renewals.slice(0, 3).map(({ at }) => at)).toEqual([1_000, 2_000, 3_000]);
    expect(lease.end).toBeUndefined();
    lease.finish('closed');
    await pass(1_000);
  });

  it('that goes on failing does not prolong the lease', async () => {
    const lease = hold(() => Promise.reject(new Error('no connection')));
    await pass(1_999);
    expect(lease.lost.aborted).toBe(false);
    await pass(1);
    expect(lease.end).toBe('expired');
    const tried = renewals.length;
    await pass(10_000);
    expect(renewals).toHaveLength(tried);
  });

  it('that hangs does not prolong the lease', async () => {
    const lease = hold();
    await pass(2_000);
    expect(renewals).toHaveLength(1);
    expect(lease.end).toBe('expired');
  });

  it('that answers after the lease has expired does not revive it', async () => {
    const lease = hold();
    await pass(2_000);
    renewals[0]!.resolve(serverStart + 1_000);
    await pass(10_000);
    expect(lease.end).toBe('expired');
    expect(lease.remainingMs()).toBe(0);
    expect(renewals).toHaveLength(1);
  });

  it('that finds the lease in other hands ends it at once', async () => {
    const lease = hold();
    await pass(1_000);
    renewals[0]!.resolve(undefined);
    await pass(0);
    expect(lease.end).toBe('taken');
    expect(lease.lost.aborted).toBe(true);
    expect(lease.remainingMs()).toBe(0);
    await pass(10_000);
    expect(renewals).toHaveLength(1);
  });
});

describe('the clocks', () => {
  it('when the machine was suspended, the wall clock alone shows that the lease is over', () => {
    const lease = hold();
    vi.setSystemTime(Date.now() + 2_000);
    expect(lease.remainingMs()).toBe(0);
    expect(lease.end).toBe('expired');
    expect(lease.lost.aborted).toBe(true);
  });

  it('when the wall clock is set back, the lease ends no later', async () => {
    const lease = hold();
    vi.setSystemTime(Date.now() - 3_600_000);
    await pass(2_000);
    expect(lease.end).toBe('expired');
  });

  it("the server's time goes on with the monotonic clock from its last answer, wherever the wall clock is set", async () => {
    const lease = hold();
    expect(lease.serverNow()).toBe(serverStart);
    await pass(300);
    expect(lease.serverNow()).toBe(serverStart + 300);
    vi.setSystemTime(Date.now() - 5_000);
    expect(lease.serverNow()).toBe(serverStart + 300);
    await pass(700);
    renewals[0]!.resolve(serverStart + 5_000);
    await pass(10);
    expect(lease.serverNow()).toBe(serverStart + 5_010);
  });
});

describe('finish', () => {
  it('ends the lease and its renewals, and keeps the first reason', async () => {
    const lease = hold(() => Promise.resolve(serverStart));
    lease.finish('closed');
    lease.finish('expired');
    expect(lease.end).toBe('closed');
    expect(lease.lost.aborted).toBe(true);
    expect(lease.remainingMs()).toBe(0);
    await pass(10_000);
    expect(renewals).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('during a renewal makes its answer mean nothing', async () => {
    const lease = hold();
    await pass(1_000);
    lease.finish('closed');
    renewals[0]!.resolve(undefined);
    await pass(10_000);
    expect(lease.end).toBe('closed');
    expect(renewals).toHaveLength(1);
  });
});
