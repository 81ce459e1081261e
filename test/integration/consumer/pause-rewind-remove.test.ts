import { describe, expect, it } from 'vitest';

import { startChild } from '../../support/child-outbox.js';
import { doneOf, inPhase, keyed, overlapsOf, repeatsOf } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry, type Consuming } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import type { Run } from '../../support/scripted-work.js';
import { isSettled } from '../../support/settled.js';

const leaseMs = 1_000;

/** A process that consumes, and another from which it is operated. */
async function two(options: Parameters<Consuming['consume']>[0] = {}) {
  const runs: Run[] = [];
  const owner = await createConsuming({ options: { leaseMs } }, runs);
  const operator = await createConsuming({ database: owner.database, options: { leaseMs } }, runs);
  const consumer = owner.consume(options);
  return { runs, owner, operator, consumer };
}

const handled = (consuming: Consuming, position: number) =>
  waitFor(async () => (await consuming.info()).position >= position);

describe('pause', () => {
  it('lets what is in flight finish, repeats nothing, and tells by whom and why', async () => {
    const { runs, owner, operator, consumer } = await two({ concurrency: 2 });
    await owner.put([keyed(1, 'a', 'hold'), ...range(2, 10).map((n) => keyed(n, `k${n}`))]);
    await waitFor(() => doneOf(runs).length === 10);
    const paused = operator.outbox.consumers.pause('c', { by: 'ann', reason: 'maintenance' });
    await waitFor(async () => (await operator.info()).paused !== null);
    expect(await isSettled(paused), 'a pause waits for what is in flight').toBe(false);
    owner.work.release();
    await paused;
    const info = await operator.info();
    expect(info).toMatchObject({
      state: 'paused',
      owner: null,
      position: 11,
      paused: { by: 'ann', reason: 'maintenance', at: expect.any(Date) as Date },
    });
    await owner.put([keyed(12)]);
    // Neither the one that runs, nor one that is started anew, nor one of another process takes it.
    const late = operator.consume();
    await consumer.close();
    owner.consume();
    await waitFor(async () => (await operator.info()).lag === 1);
    expect(doneOf(runs).length).toBe(11);
    expect(await operator.info()).toMatchObject({ epoch: info.epoch, state: 'paused' });
    await operator.outbox.consumers.resume('c');
    await waitFor(() => doneOf(runs).includes(12));
    expect(repeatsOf(runs)).toBe(0);
    expect(await operator.info()).toMatchObject({ state: 'running', paused: null });
    await late.close();
  });

  it('outlives the processes', async () => {
    const { runs, owner, operator } = await two();
    await owner.put([keyed(1)]);
    await waitFor(() => doneOf(runs).length === 1);
    await operator.outbox.consumers.pause('c');
    await Promise.all([owner.outbox.close(), operator.outbox.close()]);
    const later = await createConsuming({ database: owner.database, options: { leaseMs } }, runs);
    await later.put([keyed(2)]);
    later.consume();
    await waitFor(async () => (await later.info()).lag === 1);
    expect(await later.info()).toMatchObject({ state: 'paused', paused: { at: expect.any(Date) as Date } });
    expect(await later.outbox.drain('c', later.work.handle)).toMatchObject({ handled: 0, remaining: 1 });
    await later.outbox.consumers.resume('c');
    await waitFor(() => doneOf(runs).length === 2);
  });

  it('twice, and resume of one that runs, do no harm', async () => {
    const { runs, owner, operator } = await two();
    await operator.outbox.consumers.resume('c').catch(() => undefined);
    await owner.put([keyed(1)]);
    await waitFor(() => doneOf(runs).length === 1);
    await operator.outbox.consumers.resume('c');
    await Promise.all([
      operator.outbox.consumers.pause('c', { reason: 'one' }),
      owner.outbox.consumers.pause('c', { reason: 'two' }),
    ]);
    await operator.outbox.consumers.pause('c', { reason: 'three' });
    expect(await owner.info()).toMatchObject({ paused: { reason: 'three' } });
    await operator.outbox.consumers.resume('c');
    await owner.put([keyed(2)]);
    await waitFor(() => doneOf(runs).length === 2);
  });
});

describe('rewind of a running consumer', () => {
  it('lets what is in flight finish; no two handlers have one message, and all comes again from there', async () => {
    const { runs, owner, operator } = await two({ concurrency: 4 });
    operator.consume({ concurrency: 4 });
    await owner.put([...range(1, 60).map((n) => keyed(n, `k${n % 7}`, 'wait:3'))]);
    await waitFor(() => doneOf(runs).length >= 30);
    await operator.outbox.consumers.rewind('c', 5);
    await waitFor(async () => (await operator.info()).position === 60);
    await waitFor(() => new Set(doneOf(runs)).size === 60);
    expect(overlapsOf(runs)).toEqual([]);
    const before = doneOf(runs).length;
    await owner.outbox.consumers.rewind('c', 'beginning');
    await waitFor(() => doneOf(runs).length === before + 60);
    expect(overlapsOf(runs)).toEqual([]);
    expect(
      doneOf(runs)
        .slice(before)
        .sort((a, b) => a - b),
    ).toEqual(range(1, 60));
  });

  it('goes to a Date and to the end', async () => {
    const { runs, owner, operator } = await two();
    await owner.put([keyed(1), keyed(2)]);
    await handled(owner, 2);
    // Times of the log are the server's.
    await waitFor(async () => {
      const [entry] = await owner.connection
        .collection('Outbox')
        .find({ _id: 2 as never })
        .toArray();
      const [{ now }] = (await owner.connection
        .collection('Outbox')
        .aggregate([{ $limit: 1 }, { $project: { now: '$$NOW' } }])
        .toArray()) as [{ now: Date }];
      return now.getTime() > (entry?.['created'] as Date).getTime() + 5;
    });
    await owner.put([keyed(3)]);
    await owner.put([keyed(4)]);
    await handled(owner, 4);
    const third = await owner.connection.collection('Outbox').findOne({ _id: 3 as never });
    await operator.outbox.consumers.rewind('c', third?.['created'] as Date);
    await waitFor(() => doneOf(runs).length === 6);
    expect(doneOf(runs)).toEqual([1, 2, 3, 4, 3, 4]);
    await operator.outbox.consumers.pause('c');
    await owner.put([keyed(5)]);
    await waitFor(async () => (await operator.outbox.status()).log.last === 5);
    await operator.outbox.consumers.rewind('c', 'end');
    // It is paused still, and skips what it was told to skip.
    expect(await operator.info()).toMatchObject({ state: 'paused', position: 5, lag: 0 });
    await operator.outbox.consumers.resume('c');
    await owner.put([keyed(6)]);
    await waitFor(() => doneOf(runs).includes(6));
    expect(doneOf(runs)).not.toContain(5);
  });

  it('to the future, beyond the end, or by what is no cursor is refused, and disturbs nobody', async () => {
    const { runs, owner, operator } = await two();
    await owner.put([keyed(1)]);
    await handled(owner, 1);
    const { epoch } = await owner.info();
    const { consumers } = operator.outbox;
    await expect(consumers.rewind('c', new Date(Date.now() + 60_000))).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
    await expect(consumers.rewind('c', 1_000)).rejects.toMatchObject({ code: 'POSITION_LOST' });
    for (const cursor of [-1, 1.5, 'start', null, new Date(NaN)])
      await expect(consumers.rewind('c', cursor as never)).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
    expect(await owner.info()).toMatchObject({ epoch, position: 1, state: 'running' });
    expect(doneOf(runs)).toEqual([1]);
  });

  it('clears the failures from there on that are not dead; dead ones stay and are passed over', async () => {
    const retry = { ...quickRetry, initialDelayMs: 60_000, maxDelayMs: 60_000 };
    const { runs, owner, operator } = await two({ retry });
    await owner.put([
      keyed(1, 'a', 'fail:1'),
      keyed(2, 'b'),
      keyed(3, 'c', 'dead'),
      keyed(4, 'd', 'fail:1'),
      keyed(5, 'd'),
      keyed(6, 'c'),
    ]);
    await handled(owner, 6);
    expect(await operator.outbox.failures.list({ consumer: 'c' })).toMatchObject([
      { position: 1, state: 'retrying' },
      { position: 3, state: 'dead' },
      { position: 4, state: 'retrying' },
      { position: 5, state: 'queued' },
    ]);
    const before = runs.length;
    await operator.outbox.consumers.rewind('c', 2);
    await waitFor(async () => (await owner.info()).position === 6);
    const again = runs.slice(before);
    // 4 is attempted anew, and fails as for the first time; 5 queues up behind it.
    expect(inPhase(again, 'begin')).toEqual([4, 6]);
    expect(again.find(({ ordernr }) => ordernr === 4)).toMatchObject({ attempt: 1 });
    expect(await operator.outbox.failures.list({ consumer: 'c' })).toMatchObject([
      { position: 1, state: 'retrying', attempts: 1 },
      { position: 3, state: 'dead' },
      { position: 4, state: 'retrying', attempts: 1 },
      { position: 5, state: 'queued' },
    ]);
  });
});

describe('remove', () => {
  it('ends consumers of the name wherever they run, forgets all but the epoch; a new one registers anew', async () => {
    const { runs, owner, operator, consumer } = await two({ retry: quickRetry });
    const standby = operator.consume();
    await owner.put([keyed(1), keyed(2, 'b', 'dead')]);
    await handled(owner, 2);
    const { epoch } = await owner.info();
    const third = await createConsuming({ database: owner.database, options: { leaseMs } }, runs);
    await third.outbox.consumers.remove('c');
    for (const { closed } of [consumer, standby])
      await expect(closed).rejects.toMatchObject({ code: 'CONSUMER_REMOVED' });
    expect(await third.outbox.consumers.list()).toEqual([]);
    expect(await third.outbox.failures.list({ all: true })).toEqual([]);
    const state = await owner.connection
      .collection('Outbox.state')
      .find({ _id: /:c$/ })
      .toArray();
    expect(state.map(({ _id }) => String(_id))).toEqual(['lease:c']);
    // The same name may be used again, in the same process, otherwise than before, and at once.
    const startedAt = performance.now();
    owner.consume({ order: 'strict', from: 1 });
    await waitFor(async () => (await owner.info()).position === 2);
    expect(performance.now() - startedAt, 'milliseconds to the start of the new one').toBeLessThan(leaseMs / 2);
    expect((await owner.info()).epoch).toBeGreaterThan(epoch);
    expect(inPhase(runs, 'begin')).toEqual([1, 2, 2]);
  });

  it('of one that is paused: the new one is not', async () => {
    const { runs, owner, operator, consumer } = await two();
    await owner.put([keyed(1)]);
    await handled(owner, 1);
    await operator.outbox.consumers.pause('c');
    await operator.outbox.consumers.remove('c');
    await expect(consumer.closed).rejects.toMatchObject({ code: 'CONSUMER_REMOVED' });
    operator.consume();
    await waitFor(() => doneOf(runs).length === 2);
  });
});

describe('where the owner is', () => {
  it.each(['pause', 'rewind', 'remove'] as const)(
    'dead (kill -9), %s waits for no longer than its lease',
    async (what) => {
      const runs: Run[] = [];
      const operator = await createConsuming({ options: { leaseMs } }, runs);
      const child = await startChild({ database: operator.database, options: { leaseMs } }, (run) => runs.push(run));
      await child.order({ do: 'consume' });
      await operator.put([keyed(1), keyed(2, 'a', 'hold')]);
      await waitFor(() => inPhase(runs, 'begin').includes(2));
      const { epoch } = await operator.info();
      await child.kill9();
      const askedAt = performance.now();
      const { consumers } = operator.outbox;
      if (what === 'pause') await consumers.pause('c');
      if (what === 'rewind') await consumers.rewind('c', 0);
      if (what === 'remove') await consumers.remove('c');
      expect(performance.now() - askedAt).toBeLessThan(leaseMs + 500);
      if (what === 'remove') expect(await consumers.list()).toEqual([]);
      else expect(await operator.info()).toMatchObject({ owner: null, state: what === 'pause' ? 'paused' : 'stopped' });
      if (what !== 'remove') expect((await operator.info()).epoch).toBeGreaterThan(epoch);
      if (what === 'pause') await consumers.resume('c');
      const before = runs.length;
      operator.consume();
      await waitFor(() => runs.length > before && runs.at(-1)?.ordernr === 2);
      operator.work.release();
      await handled(operator, 2);
      expect(doneOf(runs.slice(before)).at(-1)).toBe(2);
      if (what !== 'pause') expect(doneOf(runs.slice(before))).toEqual([1, 2]);
    },
  );

  it.each(['pause', 'rewind', 'remove'] as const)(
    'frozen (SIGSTOP) past its lease, after %s nothing that it still does counts',
    async (what) => {
      const runs: Run[] = [];
      const operator = await createConsuming({ options: { leaseMs } }, runs);
      const child = await startChild({ database: operator.database, options: { leaseMs } }, (run) => runs.push(run));
      await child.order({ do: 'consume' });
      await operator.put([keyed(1), keyed(2, 'a', 'hold'), keyed(3, 'a', 'fail:1')]);
      await waitFor(() => inPhase(runs, 'begin').includes(2));
      child.pause();
      const { consumers } = operator.outbox;
      if (what === 'pause') await consumers.pause('c');
      if (what === 'rewind') await consumers.rewind('c', 'end');
      if (what === 'remove') await consumers.remove('c');
      const stored = () => operator.connection.collection('Outbox.state').findOne({ _id: 'checkpoint:c' as never });
      const before = await stored();
      // Before it can know: its handler ends in the same moment as it goes on.
      const released = child.order({ do: 'release' });
      child.resume();
      await released;
      await waitFor(() => child.has(what === 'remove' ? 'closed' : 'consumer:lost'));
      if (what === 'pause') {
        expect(await stored()).toEqual(before);
        await consumers.resume('c');
        await waitFor(() => inPhase(runs, 'begin').filter((n) => n === 2).length === 2);
        await child.order({ do: 'release' });
        await waitFor(async () => {
          const { position, retrying } = await operator.info();
          return position === 3 && retrying === 0;
        });
        expect(new Set(doneOf(runs))).toEqual(new Set([1, 2, 3]));
      }
      if (what === 'rewind') {
        await operator.put([keyed(4)]);
        await handled(operator, 4);
        expect((await operator.outbox.failures.list({ all: true })).map(({ position }) => position)).toEqual([]);
      }
      if (what === 'remove') {
        expect(child.payloads('closed')).toEqual([{ code: 'CONSUMER_REMOVED' }]);
        expect(await stored()).toBeNull();
        expect(await operator.outbox.failures.list({ all: true })).toEqual([]);
      }
    },
  );
});

it('unknown names are refused by all of them', async () => {
  const { outbox } = await createConsuming();
  const { consumers } = outbox;
  for (const call of [
    () => consumers.pause('nobody'),
    () => consumers.resume('nobody'),
    () => consumers.rewind('nobody', 0),
    () => consumers.remove('nobody'),
  ])
    await expect(call()).rejects.toMatchObject({ code: 'UNKNOWN_CONSUMER' });
  await expect(consumers.pause('a b')).rejects.toMatchObject({ code: 'INVALID_NAME' });
  await expect(consumers.pause('nobody', { who: 'x' } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  expect(await consumers.list()).toEqual([]);
});
