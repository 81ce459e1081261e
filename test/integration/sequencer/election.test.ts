import { describe, expect, it } from 'vitest';

import type { ServiceOutbox } from '../../../src/index.js';
import { startChild } from '../../support/child-outbox.js';
import { recordCommands } from '../../support/commands.js';
import { collect, collectAll, createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order, orders, putInTransaction, range } from '../../support/orders.js';
import { isSettled } from '../../support/settled.js';

const sequencer = async (outbox: ServiceOutbox<TestMessage>) => (await outbox.status()).sequencer;

/** Resolves, with the time, when the outbox is elected. */
function elected(outbox: ServiceOutbox<TestMessage>): Promise<{ at: number; epoch: number; owner: string }> {
  return new Promise((resolve) =>
    outbox.on('sequencer:elected', ({ epoch, owner }) => resolve({ at: performance.now(), epoch, owner })),
  );
}

describe('who takes part in the election', () => {
  it('nobody who only puts, initialises, asks for the status, queries or reads to the end', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    await outbox.init();
    await putInTransaction({ outbox, connection }, 1);
    await outbox.put(order(2), null);
    await outbox.status();
    await outbox.model.find({ type: { $exists: true } });
    await outbox.model.countDocuments();
    expect(await collectAll(outbox.messages('beginning', { live: false }))).toEqual([]);
    const quiet = sent.length;
    const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    await waitFor(async () => (await outbox.status()).pending.oldestMs! > 1_000);
    expect(await outbox.status()).toMatchObject({
      pending: { count: 2 },
      sequencer: { owner: null, epoch: 0, expiresInMs: null },
    });
    const state = sent.filter(({ collection }) => collection === 'Outbox.state').map(({ name }) => name);
    expect(state.filter((name) => !['aggregate', 'find'].includes(name))).toEqual(['create', 'insert']);
    const waiting = sent.filter(
      ({ name, command }) => name === 'getMore' || command['tailable'] || command['pipeline']?.[0]?.['$changeStream'],
    );
    expect(waiting).toEqual([]);
    // Since then nothing was sent but what this test asked for.
    expect(sent.slice(quiet).filter(({ name }) => !['aggregate', 'find', 'collStats', 'count'].includes(name))).toEqual(
      [],
    );
    expect(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length).toBeLessThanOrEqual(
      timers + 1,
    );
  });

  it.each([
    { by: 'start', take: (outbox: ServiceOutbox<TestMessage>) => outbox.start() },
    {
      by: 'a live messages()',
      take: async (outbox: ServiceOutbox<TestMessage>) => void outbox.messages()[Symbol.asyncIterator]().next(),
    },
    {
      by: 'a tail that is run',
      take: async (outbox: ServiceOutbox<TestMessage>) => {
        const [stream, scheduler] = outbox.tail();
        stream.run({ event: () => undefined, end: () => undefined, error: () => undefined }, scheduler);
      },
    },
  ])('who does it by $by', async ({ take }) => {
    const { outbox } = await createOutbox();
    await take(outbox);
    const { owner, epoch, expiresInMs } = await waitFor(async () => {
      const status = await sequencer(outbox);
      return status.owner === null ? undefined : status;
    });
    expect({ owner, epoch }).toEqual({ owner: expect.stringContaining(`:${process.pid}:`) as string, epoch: 1 });
    expect(expiresInMs).toBeGreaterThan(0);
    expect(expiresInMs).toBeLessThanOrEqual(5_000);
    await outbox.put(order(1), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
  });

  it('not a tail that is not run, nor messages() that nobody reads', async () => {
    const { outbox } = await createOutbox();
    outbox.tail();
    outbox.messages()[Symbol.asyncIterator]();
    await outbox.init();
    await outbox.put(order(1), null);
    await waitFor(async () => (await outbox.status()).pending.oldestMs! > 300);
    expect(await sequencer(outbox)).toEqual({ owner: null, epoch: 0, expiresInMs: null });
  });

  it('not who has the option sequencer: false: it reads, and start() is refused', async () => {
    const { outbox, database } = await createOutbox({ options: { sequencer: false } });
    await expect(outbox.start()).rejects.toMatchObject({ code: 'SEQUENCER_DISABLED', retryable: false });
    const reading = collect(outbox.messages(), 1);
    await outbox.put(order(1), null);
    await waitFor(async () => (await outbox.status()).pending.oldestMs! > 300);
    expect(await sequencer(outbox)).toEqual({ owner: null, epoch: 0, expiresInMs: null });
    // Another process moves what it put.
    const other = await createOutbox({ database });
    await other.outbox.start();
    expect(numbersOf(await reading)).toEqual([1]);
  });
});

describe('a hand-over', () => {
  it('leaves exactly one owner, is at once on close, and raises the epoch by one', async () => {
    const first = await createOutbox({ options: { leaseMs: 60_000 } });
    await first.outbox.start();
    await waitFor(async () => (await sequencer(first.outbox)).owner);
    const standbys = await Promise.all(
      [1, 2].map(() => createOutbox({ database: first.database, options: { leaseMs: 60_000 } })),
    );
    const successors = standbys.map(({ outbox }) => elected(outbox));
    await Promise.all(standbys.map(({ outbox }) => outbox.start()));
    await putInTransaction(first, 1);
    await collect(standbys[0]!.outbox.messages(), 1);
    const before = await sequencer(standbys[0]!.outbox);
    expect(before.epoch).toBe(1);

    await first.outbox.close();
    const closed = performance.now();
    const next = await Promise.race(successors);
    // About 100 ms on an idle machine; the lease would last a minute.
    expect(next.at - closed).toBeLessThan(1_000);
    expect(next.epoch).toBe(2);
    const status = await sequencer(standbys[0]!.outbox);
    expect(status).toMatchObject({ owner: next.owner, epoch: 2 });
    expect(next.owner).not.toBe(before.owner);

    // The one that is left takes over in its turn.
    const winner = (await isSettled(successors[0]!)) ? 0 : 1;
    const left = 1 - winner;
    expect(await isSettled(successors[left]!)).toBe(false);
    await standbys[winner]!.outbox.close();
    expect(await successors[left]).toMatchObject({ epoch: 3 });
    await putInTransaction(standbys[left]!, 2);
    expect(numbersOf(await collect(standbys[left]!.outbox.messages(), 2))).toEqual([1, 2]);
  });

  it('in one process that closes and begins anew raises it too', async () => {
    const first = await createOutbox();
    await first.outbox.start();
    await waitFor(async () => (await sequencer(first.outbox)).owner);
    await first.outbox.close();
    const second = await createOutbox({ database: first.database });
    expect(await sequencer(second.outbox)).toEqual({ owner: null, epoch: 1, expiresInMs: null });
    const [{ epoch }] = await Promise.all([elected(second.outbox), second.outbox.start()]);
    expect(epoch).toBe(2);
  });

  it('works where change streams are not to be had: a standby polls the lease', async () => {
    const first = await createOutbox({ options: { leaseMs: 2_000 } });
    await first.outbox.start();
    await waitFor(async () => (await sequencer(first.outbox)).owner);
    // With one connection, none can be spared for a change stream.
    const second = await createOutbox({
      database: first.database,
      connect: { maxPoolSize: 1 },
      options: { leaseMs: 2_000 },
    });
    const successor = elected(second.outbox);
    await second.outbox.start();
    await first.outbox.close();
    const closed = performance.now();
    expect((await successor).at - closed).toBeLessThan(1_000);
  });
});

describe('between processes', () => {
  it('after kill -9 of the sequencer a standby takes over within the lease, and nothing is lost or doubled', async () => {
    const leaseMs = 1_500;
    const { outbox, database, connection } = await createOutbox({ options: { leaseMs } });
    const child = await startChild({ database, options: { leaseMs } });
    await child.order({ do: 'start' });
    await waitFor(() => child.has('sequencer:elected'));
    const successor = elected(outbox);
    const reading = collect(outbox.messages(), 60);
    for (const first of [1, 11, 21]) await putInTransaction({ outbox, connection }, first, 10);
    await collect(outbox.messages(), 30);
    expect((await sequencer(outbox)).owner).toBe(child.payloads('sequencer:elected')[0]!['owner']);
    await child.kill9();
    const killed = performance.now();
    for (const first of [31, 41, 51]) await putInTransaction({ outbox, connection }, first, 10);
    const { at, epoch } = await successor;
    expect(at - killed).toBeLessThan(leaseMs + 1_000);
    expect(epoch).toBe(2);
    const messages = await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, 60));
  });

  it('there is one sequencer at a time, each epoch once, through many hand-overs while messages are put', async () => {
    const { outbox, database, connection } = await createOutbox({ options: { sequencer: false } });
    const children = await Promise.all([1, 2].map(() => startChild({ database, options: { leaseMs: 1_000 } })));
    await Promise.all(children.map((child) => child.order({ do: 'start' })));
    const reading = collect(outbox.messages(), 400);
    for (let ordernr = 1; ordernr <= 400; ordernr += 20) {
      await putInTransaction({ outbox, connection }, ordernr, 20);
      if (ordernr === 101) await children[0]!.order({ do: 'close' });
      if (ordernr === 201) children.push(await startChild({ database, options: { leaseMs: 1_000 } }));
      if (ordernr === 201) await children[2]!.order({ do: 'start' });
      if (ordernr === 301) await children[1]!.kill9();
    }
    const messages = await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, 400));
    const epochs = children.flatMap((child) => child.payloads('sequencer:elected').map(({ epoch }) => epoch as number));
    expect(new Set(epochs).size).toBe(epochs.length);
    expect([...epochs].sort((a, b) => a - b)).toEqual(range(1, epochs.length));
    // An entry carries the epoch of whoever appended it, so epochs never fall along the log.
    const entries = await outbox.model.find({ type: { $exists: true } }, { epoch: 1 }, { sort: { _id: 1 } }).lean();
    const fell = entries.findIndex((entry, index) => index > 0 && entry.epoch < entries[index - 1]!.epoch);
    expect(fell, 'where the epoch falls').toBe(-1);
  });
});

it('orders put by many processes while the sequencer changes hands arrive once each', async () => {
  const { outbox, database } = await createOutbox();
  const child = await startChild({ database });
  const reading = collect(outbox.messages(), 200);
  await Promise.all([
    ...range(0, 10).map((round) => child.order({ do: 'put', ordernrs: range(1_000 + round * 10, 10) })),
    ...range(0, 10).map((round) => outbox.put(orders(2_000 + round * 10, 10), null)),
  ]);
  const messages = await reading;
  expectInOrder(messages);
  expect(new Set(numbersOf(messages)).size).toBe(200);
});
