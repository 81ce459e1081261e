import { describe, expect, it } from 'vitest';

import { Unavailable } from '../../../src/index.js';
import { startChild } from '../../support/child-outbox.js';
import { doneOf, keyed } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry } from '../../support/consuming.js';
import { createOutbox, waitFor } from '../../support/create-outbox.js';
import { order, range } from '../../support/orders.js';
import { foreign } from '../../support/raw-log.js';

const options = { leaseMs: 900 };

describe('what consumers.list and status tell of a consumer', () => {
  it('that has just been registered, and that waits for nothing: every field', async () => {
    const one = await createConsuming({ options });
    const startedAt = Date.now();
    const consumer = one.consume();
    await waitFor(() => one.events.length > 0);
    const info = await one.info();
    expect(info).toEqual({
      name: 'c',
      position: 0,
      lag: 0,
      lagMs: 0,
      state: 'running',
      owner: expect.stringMatching(new RegExp(`:${process.pid}:[0-9a-f]{8}$`)) as string,
      epoch: 1,
      retrying: 0,
      dead: 0,
      lastError: null,
      paused: null,
      inFlight: [],
      updatedAt: expect.any(Date) as Date,
    });
    expect(info.updatedAt.getTime()).toBeGreaterThan(startedAt - 5_000);
    await waitFor(async () => (await one.info()).updatedAt > info.updatedAt);
    expect((await one.outbox.status()).consumers).toMatchObject([{ name: 'c', state: 'running' }]);
    await consumer.close();
    expect(await one.info()).toMatchObject({ state: 'stopped', owner: null, epoch: 1, inFlight: [] });
  });

  it('that is busy: what is in flight and since when, how far it lags', async () => {
    const one = await createConsuming({ options });
    const other = await createConsuming({ database: one.database, options });
    one.consume({ concurrency: 3, retry: quickRetry });
    await one.put([
      keyed(1),
      keyed(2, 'a', 'fail:1 hold'),
      keyed(3, 'b', 'hold'),
      keyed(4, 'a'),
      keyed(5, 'b'),
      keyed(6),
    ]);
    const told = async () => {
      const now = await other.info();
      return now.inFlight.length === 2 && now.inFlight.some(({ attempt }) => attempt === 2) ? now : undefined;
    };
    const info = await waitFor(told);
    expect(info).toMatchObject({ position: 2, lag: 4, state: 'running', retrying: 2, dead: 0 });
    expect(info.inFlight.map(({ position, attempt }) => [position, attempt]).sort()).toEqual([
      [2, 2],
      [3, 1],
    ]);
    for (const { id, sinceMs } of info.inFlight) {
      expect(id).toMatch(/^[0-9a-f]{24}$/);
      expect(sinceMs).toBeGreaterThanOrEqual(0);
    }
    expect(info.lastError).toMatchObject({ name: 'Error', message: 'attempt 1 fails' });
    const later = await waitFor(async () => {
      const now = await other.info();
      return (now.inFlight[0]?.sinceMs ?? 0) > (info.inFlight[0]?.sinceMs ?? 0) ? now : undefined;
    });
    expect(later.lagMs).toBeGreaterThan(info.lagMs);
    one.work.release();
    await waitFor(async () => (await other.info()).position === 6);
    await waitFor(async () => (await other.info()).inFlight.length === 0);
    expect(await other.info()).toMatchObject({ lag: 0, lagMs: 0, retrying: 0, dead: 0 });
  });

  it('that has dead letters, with the error of the last', async () => {
    const one = await createConsuming({ options });
    await one.put([keyed(1, 'a', 'dead'), keyed(2, 'b', 'dead'), keyed(3, 'b')]);
    one.consume();
    await waitFor(async () => (await one.info()).dead === 2);
    const info = await waitFor(async () => {
      const now = await one.info();
      return now.lastError === null || now.position < 3 ? undefined : now;
    });
    expect(info).toMatchObject({
      position: 3,
      retrying: 0,
      lastError: {
        name: 'PermanentError',
        message: 'for good',
        stack: expect.stringContaining('PermanentError') as string,
      },
    });
    await one.outbox.failures.discard({ consumer: 'c' });
    expect(await one.info()).toMatchObject({ dead: 0 });
  });

  it('that stands by: the owner is another; and after its death, until the next has it', async () => {
    const one = await createConsuming({ options });
    const child = await startChild({ database: one.database, options });
    await child.order({ do: 'consume' });
    await waitFor(() => child.has('consumer:start'));
    one.consume();
    const { owner } = await one.info();
    expect(owner).not.toContain(`:${process.pid}:`);
    expect(await one.info()).toMatchObject({ state: 'running' });
    await child.kill9();
    await waitFor(async () => (await one.info()).owner !== owner);
    await waitFor(async () => (await one.info()).owner?.includes(`:${process.pid}:`));
    expect(await one.info()).toMatchObject({ state: 'running' });
  });

  it('that nobody runs, after its owner was killed', async () => {
    const one = await createConsuming({ options });
    const child = await startChild({ database: one.database, options });
    await child.order({ do: 'consume' });
    await one.put([keyed(1), keyed(2, 'a', 'hold'), keyed(3)]);
    await waitFor(async () => (await one.info()).inFlight.length === 1);
    await child.kill9();
    const info = await waitFor(async () => {
      const now = await one.info();
      return now.state === 'stopped' ? now : undefined;
    });
    expect(info).toMatchObject({ owner: null, inFlight: [], position: 1, lag: 2 });
    expect(info.lagMs).toBeGreaterThan(0);
  });

  it('whose destination is down: backing-off, with its error; nothing fails', async () => {
    const one = await createConsuming({ options });
    let up = false;
    const seen: number[] = [];
    one.outbox.consume(
      'c',
      ({ position }) => {
        if (!up) throw new Unavailable('the broker is away');
        seen.push(position);
      },
      { retry: { initialDelayMs: 100, maxDelayMs: 200 } },
    );
    await one.put([keyed(1), keyed(2)]);
    const info = await waitFor(async () => {
      const now = await one.info();
      return now.state === 'backing-off' ? now : undefined;
    });
    expect(info).toMatchObject({ position: 0, lag: 2, retrying: 0, dead: 0 });
    expect(info.lastError).toMatchObject({ name: 'Unavailable', message: 'the broker is away' });
    up = true;
    await waitFor(async () => (await one.info()).state === 'running');
    await waitFor(() => seen.length === 2);
    expect(
      one.events.filter(({ event }) => event === 'consumer:outage').map(({ payload }) => payload['state']),
    ).toEqual(['down', 'up']);
  });

  it('that meets an unknown type: blocked, nothing passed; a process that knows the type goes on', async () => {
    const one = await createConsuming({ options });
    one.consume();
    await one.put([keyed(1)]);
    await one.connection.collection('Outbox.pending').insertOne(foreign({ type: 'order_lost', data: { ordernr: 2 } }));
    await one.put([keyed(3)]);
    const info = await waitFor(async () => {
      const now = await one.info();
      return now.state === 'blocked' && now.owner === null ? now : undefined;
    });
    expect(info).toMatchObject({ position: 1, lag: 2, retrying: 0, dead: 0 });
    expect(info.lastError).toMatchObject({ name: 'OutboxError', code: 'UNKNOWN_TYPE' });
    expect(doneOf(one.runs)).toEqual([1]);
    const newer = await createOutbox({
      database: one.database,
      options,
      schemas: {
        order_created: { data: { ordernr: { type: Number, required: true }, note: String } },
        order_shipped: { data: { ordernr: { type: Number, required: true } } },
        order_lost: { data: { ordernr: { type: Number, required: true } } },
      } as never,
    });
    const seen: number[] = [];
    newer.outbox.consume('c', ({ position }) => void seen.push(position));
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual([2, 3]);
    await waitFor(async () => (await one.info()).state === 'running');
    expect(await one.outbox.failures.list({ all: true })).toEqual([]);
  });

  it('with strict order behind a dead letter that blocks: blocked', async () => {
    const one = await createConsuming({ options });
    await one.put([keyed(1, 'a', 'dead'), keyed(2, 'b')]);
    one.consume({ order: 'strict', onDeadLetter: 'block' });
    await waitFor(async () => (await one.info()).state === 'blocked');
    expect(await one.info()).toMatchObject({ dead: 1, lastError: { name: 'PermanentError' } });
    expect(doneOf(one.runs)).toEqual([]);
    await one.outbox.failures.discard({ consumer: 'c', state: 'dead' });
    await waitFor(() => doneOf(one.runs).length === 1);
    await waitFor(async () => (await one.info()).state === 'running');
  });

  it('that is paused: by whom, why and since when, also while it still finishes', async () => {
    const one = await createConsuming({ options });
    const consumer = one.consume();
    await waitFor(() => one.events.length > 0);
    await one.outbox.consumers.pause('c', { by: 'ann' });
    const { paused } = await one.info();
    expect(paused).toEqual({ by: 'ann', at: expect.any(Date) as Date });
    expect(Math.abs((paused?.at.getTime() ?? 0) - Date.now())).toBeLessThan(10_000);
    await consumer.close();
    expect(await one.info()).toMatchObject({ state: 'paused', owner: null });
  });

  it('of several: by name, each with its own', async () => {
    const one = await createConsuming({ options });
    await one.put(range(1, 3).map((n) => keyed(n)));
    await one.outbox.start();
    await waitFor(async () => (await one.outbox.status()).log.last === 3);
    for (const [name, from] of [
      ['b.two', 1],
      ['a', 'end'],
      ['a-1', 'beginning'],
    ] as const)
      await one.outbox.drain(name, one.work.handle, { from, maxMessages: 1 });
    expect((await one.outbox.consumers.list()).map(({ name, position, lag }) => [name, position, lag])).toEqual([
      ['a', 3, 0],
      ['a-1', 1, 2],
      ['b.two', 2, 1],
    ]);
    await one.outbox.put(order(4), null);
    await waitFor(async () => (await one.info('a')).lag === 1);
  });
});
