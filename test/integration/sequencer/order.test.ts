import { describe, expect, it } from 'vitest';

import { collect, collectAll, createOutbox, waitFor } from '../../support/create-outbox.js';
import {
  expectEachOnce,
  expectInOrder,
  numbersOf,
  order,
  orders,
  putInTransaction,
  range,
} from '../../support/orders.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';

describe('positions', () => {
  it('are 1, 2, 3 … without a gap over concurrent writers and transactions that abort', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.start();
    const committed: number[] = [];
    const writer = async (writer: number): Promise<void> => {
      for (let round = 0; round < 12; round += 1) {
        const first = writer * 1_000 + round * 10;
        const aborts = round % 3 === 2;
        await connection
          .transaction(async (session) => {
            await outbox.put(orders(first, 1 + (round % 4)), session);
            if (aborts) throw new Error('changed my mind');
          })
          .then(
            () => committed.push(...range(first, 1 + (round % 4))),
            (error: Error) => expect(error.message).toBe('changed my mind'),
          );
      }
    };
    await Promise.all(range(0, 8).map(writer));
    const messages = await collect(outbox.messages(), committed.length);
    expectInOrder(messages);
    expectEachOnce(messages, committed);
    // What aborted does not come later either.
    await putInTransaction({ outbox, connection }, 99_999);
    expect(numbersOf(await collect(outbox.messages(committed.length), 1))).toEqual([99_999]);
  });

  it('go on after those of an earlier process', async () => {
    const first = await createOutbox();
    await putInTransaction(first, 1, 3);
    expectInOrder(await collect(first.outbox.messages(), 3));
    await first.outbox.close();
    const second = await createOutbox({ database: first.database });
    await putInTransaction(second, 4, 2);
    const messages = await collect(second.outbox.messages(), 5);
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, 5));
  });
});

describe('order', () => {
  it('is that of the puts within a transaction, also of puts started together and of arrays', async () => {
    const { outbox, connection } = await createOutbox();
    await connection.transaction(async (session) => {
      await outbox.put(order(1), session);
      await Promise.all([
        outbox.put(order(2), session),
        outbox.put(orders(3, 200), session),
        outbox.put(order(203), session),
      ]);
      await outbox.put(order(204), session);
    });
    expect(numbersOf(await collect(outbox.messages(), 204))).toEqual(range(1, 204));
  });

  it('respects causality: what was put after another commit was seen comes after it, whoever puts', async () => {
    const one = await createOutbox();
    const two = await createOutbox({ database: one.database });
    await one.outbox.start();
    for (let ordernr = 1; ordernr <= 40; ordernr += 1) await putInTransaction(ordernr % 2 ? one : two, ordernr);
    expect(numbersOf(await collect(two.outbox.messages(), 40))).toEqual(range(1, 40));
  });

  it('a transaction that began first and commits last comes last, and not behind a cursor', async () => {
    const { outbox, connection } = await createOutbox();
    const reading = collect(outbox.messages(), 6);
    const late = await connection.startSession();
    late.startTransaction();
    await outbox.put(order(1), late);
    for (const ordernr of [2, 3, 4]) await putInTransaction({ outbox, connection }, ordernr);
    const before = await collect(outbox.messages(), 3);
    expect(numbersOf(before)).toEqual([2, 3, 4]);
    const cursor = before.at(-1)!.position;
    await late.commitTransaction();
    await late.endSession();
    expect(numbersOf(await collect(outbox.messages(cursor), 1))).toEqual([1]);
    await putInTransaction({ outbox, connection }, 5, 2);
    // The reader that was there all along saw the same order.
    const messages = await reading;
    expect(numbersOf(messages)).toEqual([2, 3, 4, 1, 5, 6]);
    expectInOrder(messages);
  });

  it('is the same for every reader and at every reading', async () => {
    const { outbox, connection } = await createOutbox();
    const live = [1, 2, 3].map(() => collect(outbox.messages(), 60));
    await Promise.all(range(0, 20).map((writer) => putInTransaction({ outbox, connection }, writer * 10, 3)));
    const seen = await Promise.all(live);
    const again = await collectAll(outbox.messages('beginning', { live: false }));
    expect(again).toHaveLength(60);
    for (const messages of seen) expect(messages).toEqual(again);
  });
});

describe('created', () => {
  it('is server time, and is the same for every reader', async () => {
    const { outbox, connection } = await createOutbox();
    const reading = collect(outbox.messages(), 3);
    const serverTime = async () =>
      ((await connection.db!.admin().command({ hello: 1 }))['localTime'] as Date).getTime();
    const before = await serverTime();
    await putInTransaction({ outbox, connection }, 1);
    await collect(outbox.messages(), 1);
    await putInTransaction({ outbox, connection }, 2, 2);
    const messages = await reading;
    expect(await collectAll(outbox.messages('beginning', { live: false }))).toEqual(messages);
    const after = await serverTime();
    expectInOrder(messages);
    // Two processes measure the same clock here, each to a few milliseconds.
    for (const { created } of messages) {
      expect(created.getTime()).toBeGreaterThanOrEqual(before - 20);
      expect(created.getTime()).toBeLessThanOrEqual(after + 20);
    }
  });

  it('never falls when the time of the server goes back: it stands still', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const ahead = new Date(Date.now() + 3_600_000);
    // An entry of an earlier primary whose clock ran ahead.
    await exactCollection(connection, 'Outbox').insertOne(entryAt(1, { created: ahead }));
    await putInTransaction({ outbox, connection }, 2, 2);
    const messages = await collect(outbox.messages(), 3);
    expectInOrder(messages);
    expect(messages.map(({ created }) => created)).toEqual([ahead, ahead, ahead]);
  });
});

it('what is put while nobody sequences is moved in order when somebody does', async () => {
  const { outbox, connection } = await createOutbox();
  for (const ordernr of range(1, 5)) await putInTransaction({ outbox, connection }, ordernr);
  expect(await collectAll(outbox.messages('beginning', { live: false }))).toEqual([]);
  await outbox.start();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  expect(numbersOf(await collectAll(outbox.messages('beginning', { live: false })))).toEqual(range(1, 5));
});
