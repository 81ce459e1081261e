import { describe, expect, inject, it } from 'vitest';

import { Unavailable, type DrainReport } from '../../../src/index.js';
import { startChild } from '../../support/child-outbox.js';
import { doneOf, inPhase, keyed, overlapsOf } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry } from '../../support/consuming.js';
import { createOutbox, waitFor } from '../../support/create-outbox.js';
import { openCursors } from '../../support/open-cursors.js';
import { order, orders, range } from '../../support/orders.js';
import type { Run } from '../../support/scripted-work.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const nothingLeft = { failed: 0, dead: 0, remaining: 0, heldBy: null, nextAttemptAt: null };

describe('drain', () => {
  it('moves what is pending to the log by itself, and handles until nothing is left', async () => {
    const one = await createConsuming();
    await one.put(range(1, 250).map((n) => keyed(n, `k${n % 9}`)));
    expect((await one.outbox.status()).sequencer.owner).toBeNull();
    const report = await one.outbox.drain('c', one.work.handle, { concurrency: 4 });
    expect(report).toEqual({ ...nothingLeft, handled: 250 });
    expect(doneOf(one.runs).sort((a, b) => a - b)).toEqual(range(1, 250));
    expect(await one.info()).toMatchObject({ position: 250, owner: null, state: 'stopped' });
    expect(await one.outbox.drain('c', one.work.handle)).toEqual({ ...nothingLeft, handled: 0 });
    await one.put([keyed(251)]);
    expect(await one.outbox.drain('c', one.work.handle)).toEqual({ ...nothingLeft, handled: 1 });
  });

  it('takes a publisher, and a handler per type', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 30), null);
    await outbox.put({ type: 'order_shipped', data: { ordernr: 1 } }, null);
    const batches: number[] = [];
    const published = await outbox.drain('p', { publish: async (messages) => void batches.push(messages.length) });
    expect(published).toEqual({ ...nothingLeft, handled: 31 });
    expect(batches.reduce((sum, size) => sum + size)).toBe(31);
    const seen: string[] = [];
    const handled = await outbox.drain('m', {
      order_created: ({ data }) => void seen.push(`created ${data.ordernr}`),
      order_shipped: ({ data }) => void seen.push(`shipped ${data.ordernr}`),
    });
    expect(handled).toEqual({ ...nothingLeft, handled: 31 });
    expect(seen.at(-1)).toBe('shipped 1');
    const narrowed = await outbox.drain('t', { order_shipped: () => undefined }, { types: ['order_shipped'] });
    expect(narrowed).toEqual({ ...nothingLeft, handled: 1 });
  });

  it('counts messages of a transactional handler alike', async () => {
    const one = await createConsuming();
    await one.put(range(1, 5).map((n) => keyed(n, 'a', 'count')));
    const report = await one.outbox.drain('c', one.work.handle, { transactional: true });
    expect(report).toEqual({ ...nothingLeft, handled: 5 });
    expect(await one.connection.collection('projection').findOne()).toMatchObject({ count: 5 });
  });

  it('ends after maxMessages', async () => {
    const one = await createConsuming();
    await one.put(range(1, 20).map((n) => keyed(n)));
    const options = { maxMessages: 7, concurrency: 3 };
    expect(await one.outbox.drain('c', one.work.handle, options)).toMatchObject({ handled: 7, remaining: 13 });
    expect(await one.outbox.drain('c', one.work.handle, options)).toMatchObject({ handled: 7, remaining: 6 });
    expect(await one.outbox.drain('c', one.work.handle, options)).toMatchObject({ handled: 6, remaining: 0 });
    expect(doneOf(one.runs).sort((a, b) => a - b)).toEqual(range(1, 20));
  });

  it('returns by deadlineMs, measured from the call, and says what remains', async () => {
    const one = await createConsuming();
    await one.put(range(1, 300).map((n) => keyed(n, 'a', 'wait:10')));
    const startedAt = performance.now();
    const report = await one.outbox.drain('c', one.work.handle, { deadlineMs: 500 });
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(report.handled).toBeGreaterThan(0);
    expect(report.handled + report.remaining).toBe(300);
    expect(inPhase(one.runs, 'done')).toHaveLength(report.handled);
    await one.outbox.drain('c', one.work.handle, { maxMessages: 1 });
    expect(doneOf(one.runs)).toEqual(range(1, report.handled + 1));
  });

  it('returns by its deadline though a handler hangs', async () => {
    const one = await createConsuming({ options: { closeTimeoutMs: 10_000 } });
    await one.put([keyed(1, 'a', 'hold')]);
    const startedAt = performance.now();
    const report = await one.outbox.drain('c', one.work.handle, { deadlineMs: 400 });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(report).toMatchObject({ handled: 0, remaining: 1, heldBy: null });
  });

  it('reports what failed, what is dead and when the next attempt is due', async () => {
    const one = await createConsuming();
    await one.put([keyed(1, 'a', 'fail:1'), keyed(2, 'a'), keyed(3, 'b', 'dead'), keyed(4, 'c')]);
    const retry = { initialDelayMs: 60_000, jitter: 0 };
    const before = Date.now();
    const report = await one.outbox.drain('c', one.work.handle, { retry });
    expect(report).toMatchObject({ handled: 1, failed: 1, dead: 1, remaining: 0, heldBy: null });
    expect(report.nextAttemptAt?.getTime()).toBeGreaterThan(before + 50_000);
    expect(await one.info()).toMatchObject({ retrying: 2, dead: 1, lastError: { name: expect.any(String) as string } });
    // One that finds nothing new tells it as well.
    const again = await one.outbox.drain('c', one.work.handle, { retry });
    expect(again).toEqual({ ...nothingLeft, handled: 0, nextAttemptAt: report.nextAttemptAt });
  });

  it('makes attempts that are due, in the order of their key', async () => {
    const one = await createConsuming();
    await one.put([keyed(1, 'a', 'fail:1'), keyed(2, 'a')]);
    const first = await one.outbox.drain('c', one.work.handle, { retry: quickRetry });
    expect(first).toMatchObject({ failed: 1 });
    await waitFor(() => Date.now() > (first.nextAttemptAt?.getTime() ?? 0) + 50);
    const second = await one.outbox.drain('c', one.work.handle, { retry: quickRetry });
    expect(first.handled + second.handled).toBe(2);
    expect(doneOf(one.runs)).toEqual([1, 2]);
    expect(await one.outbox.failures.list({ all: true })).toEqual([]);
  });

  it('stops at its signal, and with the outbox', async () => {
    const one = await createConsuming();
    await one.put(range(1, 300).map((n) => keyed(n, 'a', 'wait:5')));
    const controller = new AbortController();
    const first = one.outbox.drain('c', one.work.handle, { signal: controller.signal });
    await waitFor(() => doneOf(one.runs).length > 3);
    controller.abort();
    const report = await first;
    expect(report.handled + report.remaining).toBe(300);
    const second = one.outbox.drain('c', one.work.handle);
    await waitFor(() => doneOf(one.runs).length > report.handled + 3);
    await one.outbox.close();
    expect((await second).handled).toBeGreaterThan(3);
    expect(doneOf(one.runs)).toEqual(range(1, doneOf(one.runs).length));
  });
});

describe('a drain leaves nothing behind', () => {
  it('no cursor and no change stream', async () => {
    const one = await createConsuming();
    await one.put(range(1, 50).map((n) => keyed(n, `k${n}`, n === 7 ? 'fail:1' : '')));
    await one.outbox.drain('c', one.work.handle, { retry: quickRetry });
    await waitFor(async () => (await openCursors(one.connection, one.database)).length === 0, 3_000);
    // A second one, held by another's: it waits on a change stream, until its deadline.
    const other = await createConsuming({ database: one.database });
    other.consume();
    await waitFor(() => other.events.length > 0);
    await one.outbox.drain('c', one.work.handle, { ifHeld: 'wait', deadlineMs: 200 });
    await other.outbox.close();
    await waitFor(async () => (await openCursors(one.connection, one.database)).length === 0, 7_000);
  });

  it('no timer and no socket: its process ends by itself once it is disconnected', async () => {
    const one = await createConsuming();
    const child = await startChild({ database: one.database });
    await one.put([keyed(1), keyed(2, 'a', 'fail:1')]);
    expect(await child.order({ do: 'drain' })).toMatchObject({ handled: 1, failed: 1 });
    await child.order({ do: 'drain', options: { deadlineMs: 60_000 } });
    await child.order({ do: 'disconnect' });
    await child.order({ do: 'letGo' });
    expect(await child.ends(3_000)).toBe(0);
  });
});

describe('two drains of one name', () => {
  it.each([{ ifHeld: 'return' }, { ifHeld: 'wait' }] as const)(
    'in one process never handle anything twice: $ifHeld',
    async ({ ifHeld }) => {
      const one = await createConsuming();
      await one.put(range(1, 100).map((n) => keyed(n, `k${n % 3}`, 'wait:2')));
      const drained = await Promise.all(
        [1, 2, 3].map(() => one.outbox.drain('c', one.work.handle, { ifHeld, concurrency: 2 })),
      );
      expect(drained.reduce((sum, { handled }) => sum + handled, 0)).toBe(100);
      expect(doneOf(one.runs).sort((a, b) => a - b)).toEqual(range(1, 100));
      const held = drained.filter(({ heldBy }) => heldBy !== null);
      expect(held).toHaveLength(ifHeld === 'return' ? 2 : 0);
      for (const { heldBy, handled } of held) {
        expect(heldBy).toContain(`:${process.pid}:`);
        expect(handled).toBe(0);
      }
    },
  );

  it.each([{ ifHeld: 'return' }, { ifHeld: 'wait' }] as const)(
    'in two processes never handle anything twice: $ifHeld',
    async ({ ifHeld }) => {
      const runs: Run[] = [];
      const one = await createConsuming({ options: { leaseMs: 20_000 } }, runs);
      const child = await startChild({ database: one.database, options: { leaseMs: 20_000 } }, (run) => runs.push(run));
      await one.put(range(1, 150).map((n) => keyed(n, `k${n % 3}`, 'wait:4')));
      const startedAt = performance.now();
      const drained = (await Promise.all([
        one.outbox.drain('c', one.work.handle, { ifHeld }),
        child.order({ do: 'drain', options: { ifHeld } }),
      ])) as DrainReport[];
      // The one that waits takes over at once.
      expect(performance.now() - startedAt).toBeLessThan(8_000);
      expect(drained.reduce((sum, { handled }) => sum + handled, 0)).toBe(150);
      expect(doneOf(runs).sort((a, b) => a - b)).toEqual(range(1, 150));
      expect(overlapsOf(runs)).toEqual([]);
      expect(drained.filter(({ heldBy }) => heldBy !== null)).toHaveLength(ifHeld === 'return' ? 1 : 0);
    },
  );

  it('one that finds the consumer given back a moment later takes it: nobody holds it', async () => {
    const one = await createConsuming();
    const proxy = await TcpProxy.start(inject('mongoUri'));
    const other = await createConsuming({ database: one.database, uri: proxy.uri });
    await one.put([keyed(1, 'a', 'hold')]);
    const first = one.outbox.drain('c', one.work.handle);
    await waitFor(() => one.runs.length > 0);
    // Refused the lease, it asks who has it; until the question arrives, nobody has.
    const held = proxy.hold('aggregate', 'Outbox.state');
    const second = other.outbox.drain('c', other.work.handle);
    const letGo = await held;
    one.work.release();
    await first;
    letGo();
    expect(await second).toMatchObject({ handled: 0, remaining: 0, heldBy: null });
  });

  it('one that waits gives up at its deadline, and names the holder', async () => {
    const one = await createConsuming();
    const other = await createConsuming({ database: one.database });
    await one.put([keyed(1, 'a', 'hold'), keyed(2, 'b')]);
    const first = other.outbox.drain('c', other.work.handle);
    await waitFor(() => other.runs.length > 0);
    const startedAt = performance.now();
    const report = await one.outbox.drain('c', one.work.handle, { ifHeld: 'wait', deadlineMs: 300 });
    expect(performance.now() - startedAt).toBeGreaterThan(200);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(report).toMatchObject({ handled: 0, remaining: 2, heldBy: (await one.info()).owner });
    other.work.release();
    expect(await first).toMatchObject({ handled: 2 });
  });
});

describe('drain and others', () => {
  it('while the consumer runs elsewhere, returns with its owner, and what remains', async () => {
    const one = await createConsuming();
    const other = await createConsuming({ database: one.database });
    await one.put([keyed(1, 'a', 'hold')]);
    other.consume();
    await waitFor(() => other.runs.length > 0);
    const report = await one.outbox.drain('c', one.work.handle);
    expect(report).toMatchObject({ handled: 0, remaining: 1, heldBy: (await one.info()).owner });
    // The same from the process that runs it.
    expect(await other.outbox.drain('c', other.work.handle)).toMatchObject({ handled: 0, heldBy: report.heldBy });
    other.work.release();
    await waitFor(async () => (await one.info()).position === 1);
    expect(doneOf(one.runs)).toEqual([]);
  });

  it('gives the consumer back to somebody who pauses, rewinds or removes it', async () => {
    const one = await createConsuming();
    const operator = await createConsuming({ database: one.database });
    await one.put(range(1, 2_000).map((n) => keyed(n, 'a', 'wait:5')));
    const drained = one.outbox.drain('c', one.work.handle, { deadlineMs: 8_000 });
    await waitFor(() => doneOf(one.runs).length > 5);
    const startedAt = performance.now();
    await operator.outbox.consumers.pause('c', { reason: 'now' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    const report = await drained;
    expect(report.handled + report.remaining).toBe(2_000);
    expect(report.handled).toBe(doneOf(one.runs).length);
  });

  it('and a consumer of the same process take their turns', async () => {
    const one = await createConsuming();
    await one.put([keyed(1, 'a', 'hold'), keyed(2, 'a')]);
    const drained = one.outbox.drain('c', one.work.handle, { maxMessages: 1 });
    await waitFor(() => one.runs.length > 0);
    one.consume();
    await waitFor(() => one.connection.collection('Outbox.state').findOne({ _id: 'lease:c' as never, epoch: 1 }));
    expect(doneOf(one.runs)).toEqual([]);
    one.work.release();
    expect(await drained).toMatchObject({ handled: 1, remaining: 1 });
    await waitFor(() => doneOf(one.runs).length === 2);
    expect(doneOf(one.runs)).toEqual([1, 2]);
    expect(overlapsOf(one.runs)).toEqual([]);
  });

  it('registers a name anew that was removed', async () => {
    const one = await createConsuming();
    await one.put([keyed(1)]);
    await one.outbox.drain('c', one.work.handle);
    await one.outbox.consumers.remove('c');
    expect(await one.outbox.consumers.list()).toEqual([]);
    expect(await one.outbox.drain('c', one.work.handle)).toMatchObject({ handled: 1, remaining: 0 });
  });
});

describe('drain during an outage', () => {
  const down = { publish: () => Promise.reject(new Error('connection refused')) };
  const retry = { initialDelayMs: 100, maxDelayMs: 200, jitter: 0 };

  it('without a deadline gives up after the probes of a round, having made no failure', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 50), null);
    const report = await outbox.drain('p', down, { retry });
    expect(report).toEqual({ handled: 0, failed: 0, dead: 0, remaining: 50, heldBy: null, nextAttemptAt: null });
    expect(await outbox.failures.list({ all: true })).toEqual([]);
    let published = 0;
    const up = { publish: async (messages: readonly unknown[]) => void (published += messages.length) };
    expect(await outbox.drain('p', up, { retry })).toMatchObject({ handled: 50, remaining: 0 });
    expect(published).toBe(50);
  });

  it('with a deadline waits for its end', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 50), null);
    let calls = 0;
    const published = new Set<number>();
    const flaky = {
      publish: async (messages: readonly { position: number }[]) => {
        calls += 1;
        if (calls <= 12) throw new Error('connection refused');
        for (const { position } of messages) published.add(position);
      },
    };
    const report = await outbox.drain('p', flaky, { retry, deadlineMs: 20_000 });
    expect(report).toMatchObject({ handled: 50, failed: 0, dead: 0, remaining: 0 });
    expect(published.size).toBe(50);
  });

  it('at its deadline returns, with the outage going on', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(order(1), null);
    const startedAt = performance.now();
    const handle = () => Promise.reject(new Unavailable());
    const report = await outbox.drain('h', handle, { retry, deadlineMs: 600 });
    expect(performance.now() - startedAt).toBeLessThan(1_100);
    expect(performance.now() - startedAt).toBeGreaterThan(400);
    expect(report).toMatchObject({ handled: 0, failed: 0, remaining: 1 });
  });
});
