import { describe, expect, it } from 'vitest';

import { startChild } from '../../support/child-outbox.js';
import { doneOf, inPhase, keyed, overlapsOf, repeatsOf } from '../../support/consumer-runs.js';
import { createConsuming } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import type { Run } from '../../support/scripted-work.js';
import { isSettled } from '../../support/settled.js';

describe('one process at a time owns a consumer', () => {
  it('hands over at once on a clean close, repeats nothing and raises the epoch each time', async () => {
    const runs: Run[] = [];
    const options = { leaseMs: 60_000 };
    const one = await createConsuming({ options }, runs);
    const { database } = one;
    const two = await createConsuming({ database, options }, runs);
    const three = await createConsuming({ database, options }, runs);
    await one.put(range(1, 400).map((n) => keyed(n, `k${n % 40}`, 'wait:2')));
    const all = [one, two, three].map((each) => ({ ...each, consumer: each.consume({ concurrency: 8 }) }));
    const epochs: number[] = [];
    for (const round of [1, 2, 3]) {
      // Far into the window, with many in flight and handled above the checkpoint.
      const before = doneOf(runs).length;
      await waitFor(() => doneOf(runs).length >= before + 60);
      const { epoch } = await one.info();
      epochs.push(epoch);
      if (round === 3) break;
      const closing = performance.now();
      const owner = all.find(({ events }) => events.some(({ payload }) => payload['epoch'] === epoch));
      await owner?.consumer.close();
      await waitFor(async () => (await one.info()).epoch > epoch);
      expect(performance.now() - closing, 'milliseconds to the next owner').toBeLessThan(1_500);
    }
    await waitFor(() => new Set(doneOf(runs)).size === 400);
    expect(repeatsOf(runs)).toBe(0);
    expect(overlapsOf(runs)).toEqual([]);
    expect(epochs).toEqual(range(epochs[0]!, 3));
    // Each handler was told the epoch of its owner.
    expect([...new Set(runs.map(({ epoch }) => epoch))]).toEqual(epochs);
  });

  it('is taken over within the time of a lease when the owner is killed (kill -9)', async () => {
    const leaseMs = 1_500;
    const runs: Run[] = [];
    const standby = await createConsuming({ options: { leaseMs } }, runs);
    const child = await startChild({ database: standby.database, options: { leaseMs } }, (run) => runs.push(run));
    await child.order({ do: 'consume' });
    await standby.put([keyed(1)]);
    await waitFor(() => doneOf(runs).length === 1);
    standby.consume();
    await standby.put([keyed(2)]);
    await waitFor(() => doneOf(runs).length === 2);
    expect(standby.events).toEqual([]);
    const { epoch } = await standby.info();
    await child.kill9();
    const killedAt = performance.now();
    await standby.put([keyed(3)]);
    await waitFor(() => inPhase(runs, 'done').includes(3));
    const tookMs = performance.now() - killedAt;
    expect(tookMs).toBeLessThan(leaseMs + 1_000);
    expect(await standby.info()).toMatchObject({ epoch: epoch + 1, state: 'running' });
  });

  it("lets what is pending of a peaceful hand-over be nobody else's: messages handled above the checkpoint do not come again", async () => {
    const runs: Run[] = [];
    const one = await createConsuming({}, runs);
    const two = await createConsuming({ database: one.database }, runs);
    // The first one holds the checkpoint back, all others are handled above it.
    await one.put([keyed(1, 'slow', 'hold'), ...range(2, 60).map((n) => keyed(n, `k${n}`))]);
    const consumer = one.consume({ concurrency: 4, batchSize: 100 });
    await waitFor(() => doneOf(runs).length === 60);
    const closed = consumer.close();
    expect(await isSettled(closed), 'a close waits for what is in flight').toBe(false);
    one.work.release();
    await closed;
    two.consume({ concurrency: 4, batchSize: 100 });
    await one.put([keyed(100)]);
    await waitFor(() => doneOf(runs).includes(100));
    expect(doneOf(runs).sort((a, b) => a - b)).toEqual([...range(1, 61), 100]);
  });
});

describe('close', () => {
  it('keeps what was handled above one that had to be stopped: only that one comes again', async () => {
    const runs: Run[] = [];
    const options = { closeTimeoutMs: 100 };
    const one = await createConsuming({ options }, runs);
    const two = await createConsuming({ database: one.database, options }, runs);
    await one.put([keyed(1, 'slow', 'hold'), ...range(2, 60).map((n) => keyed(n, `k${n % 7}`))]);
    const consumer = one.consume({ concurrency: 4 });
    await waitFor(() => doneOf(runs).length === 60);
    await consumer.close();
    expect(await one.info()).toMatchObject({ position: 0, lag: 61 });
    two.consume({ concurrency: 4 });
    await waitFor(() => inPhase(runs, 'begin').length === 62);
    two.work.release();
    await waitFor(async () => (await two.info()).position === 61);
    expect(inPhase(runs, 'begin').slice(61)).toEqual([1]);
  });

  it('lets handlers finish, then aborts their signal after closeTimeoutMs', async () => {
    const closeTimeoutMs = 300;
    const one = await createConsuming({ options: { closeTimeoutMs } });
    await one.put([keyed(1, 'a', 'hold')]);
    const consumer = one.consume();
    await waitFor(() => one.runs.length === 1);
    const startedAt = performance.now();
    await consumer.close();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(closeTimeoutMs - 1);
    expect(one.runs.map(({ phase }) => phase)).toEqual(['begin', 'aborted', 'failed']);
    // It is no attempt, and no failure.
    expect(await one.outbox.failures.list({ consumer: 'c' })).toEqual([]);
    expect(await one.info()).toMatchObject({ position: 0, state: 'stopped', owner: null });
    one.consume();
    await waitFor(() => one.runs.at(-1)?.phase === 'begin');
    expect(one.runs.at(-1)).toMatchObject({ ordernr: 1, attempt: 1 });
    one.work.release();
    await waitFor(() => doneOf(one.runs).length === 1);
  });

  it('leaves the lease to run out where a handler does not even stop at its signal', async () => {
    const runs: Run[] = [];
    const options = { closeTimeoutMs: 50, leaseMs: 1_000 };
    const one = await createConsuming({ options }, runs);
    const two = await createConsuming({ database: one.database, options }, runs);
    await one.put([keyed(1, 'a', 'stubborn')]);
    const consumer = one.consume();
    await waitFor(() => runs.length === 1);
    await consumer.close();
    const closedAt = performance.now();
    two.consume();
    await waitFor(() => two.events.some(({ event }) => event === 'consumer:start'));
    expect(performance.now() - closedAt).toBeGreaterThan(300);
    // What the late handler says does not move the checkpoint of the new owner.
    await waitFor(() => inPhase(runs, 'begin').length === 2);
    one.work.release();
    await waitFor(() => doneOf(runs).length === 1);
    expect((await one.info()).position).toBe(0);
    two.work.release();
    await waitFor(async () => (await one.info()).position === 1);
  });

  it('may be called twice, during the start, and again and again in a loop', async () => {
    const one = await createConsuming();
    await one.put(range(1, 20).map((n) => keyed(n)));
    for (let round = 0; round < 12; round += 1) {
      const consumer = one.consume({ concurrency: 2 });
      if (round % 3 === 1) await waitFor(() => one.events.filter(({ event }) => event === 'consumer:start').length > 0);
      if (round % 3 === 2) await Promise.resolve();
      await Promise.all([consumer.close(), consumer.close(), consumer.closed]);
      await consumer.close();
    }
    one.consume();
    await waitFor(() => new Set(doneOf(one.runs)).size === 20);
    expect(repeatsOf(one.runs)).toBe(0);
    expect(one.events.filter(({ event }) => event === 'error')).toEqual([]);
  });

  it('of the outbox closes its consumers, and gives their leases back', async () => {
    const one = await createConsuming({ options: { leaseMs: 30_000 } });
    const two = await createConsuming({ database: one.database });
    await one.put([keyed(1)]);
    const consumers = ['a', 'b'].map((name) => one.consume({}, name));
    await waitFor(() => doneOf(one.runs).length === 2);
    await one.outbox.close();
    await Promise.all(consumers.map(({ closed }) => closed));
    expect(await two.outbox.consumers.list()).toMatchObject([
      { name: 'a', owner: null, state: 'stopped', position: 1 },
      { name: 'b', owner: null, state: 'stopped', position: 1 },
    ]);
    expect(() => one.consume()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('happens when the option signal aborts, also one that had aborted before', async () => {
    const one = await createConsuming();
    const controller = new AbortController();
    const consumer = one.consume({ signal: controller.signal });
    await one.put([keyed(1)]);
    await waitFor(() => doneOf(one.runs).length === 1);
    controller.abort();
    await consumer.closed;
    const late = one.consume({ signal: controller.signal });
    await late.closed;
    expect(await one.info()).toMatchObject({ state: 'stopped', position: 1 });
    expect(doneOf(one.runs)).toEqual([1]);
  });

  it('leaves the name free for another one in this process only once it is closed', async () => {
    const one = await createConsuming();
    const consumer = one.consume();
    expect(() => one.consume()).toThrow(expect.objectContaining({ code: 'CONSUMER_RUNNING' }));
    await consumer.close();
    const again = one.consume();
    await again.close();
  });
});
