import mongoose, { type Mongoose } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { collect, collectAll, createOutbox, type TestMessage } from '../../support/create-outbox.js';
import type { Delivered } from '../../../src/index.js';
import { numbersOf, order } from '../../support/orders.js';
import { otherMongoose } from '../../support/payloads.js';

const mongoose8 = await otherMongoose();

describe.each([
  ['mongoose 9', mongoose],
  ['mongoose 8', mongoose8],
])('with the transactionAsyncLocalStorage of %s on', (_version, { Mongoose: Base }) => {
  function withStorage(): Mongoose {
    const base = new Base();
    base.set('transactionAsyncLocalStorage', true);
    return base;
  }

  it('init and put may be called first inside connection.transaction', async () => {
    const { outbox, connection } = await createOutbox({ base: withStorage() });
    await connection.collection('orders').insertOne({ ordernr: 0 });
    let attempts = 0;
    await connection.transaction(async (session) => {
      attempts += 1;
      await connection.collection('orders').insertOne({ ordernr: 1 }, { session });
      await outbox.init();
      await outbox.put(order(attempts));
    });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([attempts]);
    expect(await connection.collection('orders').countDocuments()).toBe(2);
  });

  it('what is started inside a transaction outlives it: readers, the sequencer, the status', async () => {
    const { outbox, connection } = await createOutbox({ base: withStorage() });
    const errors: unknown[] = [];
    outbox.on('error', ({ error }) => errors.push(error));
    let reader: AsyncIterator<Delivered<TestMessage>, undefined> | undefined;
    let first: Promise<IteratorResult<Delivered<TestMessage>, undefined>> | undefined;
    const failure = new Error('the service thinks again');
    await expect(
      connection.transaction(async () => {
        await outbox.start();
        reader = outbox.messages()[Symbol.asyncIterator]();
        first = reader.next();
        expect((await outbox.status()).log.last).toBe(0);
        expect(await collectAll(outbox.messages('beginning', { live: false }))).toEqual([]);
        await outbox.put(order(1));
        throw failure;
      }),
    ).rejects.toBe(failure);
    await connection.transaction(() => outbox.put(order(2)));
    expect((await first)?.value).toMatchObject(order(2));
    await connection.transaction(async () => {
      await outbox.put(order(3));
      // Reads the log, not the transaction.
      expect((await outbox.status()).log.last).toBe(1);
    });
    expect((await reader?.next())?.value).toMatchObject(order(3));
    await reader?.return?.();
    expect(errors).toEqual([]);
    expect((await outbox.status()).log.last).toBe(2);
  });
});
