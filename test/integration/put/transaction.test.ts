import mongoose, { Schema, type ClientSession } from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { Delivered } from '../../../src/index.js';
import {
  collect,
  collectAll,
  createOutbox,
  waitFor,
  type TestMessage,
  type TestOutbox,
} from '../../support/create-outbox.js';
import { numbersOf, order, orders, range } from '../../support/orders.js';

describe('a transaction', () => {
  it('that commits delivers its messages, together with the state', async () => {
    const { outbox, connection } = await createOutbox();
    const Order = connection.model('Order', new Schema({ ordernr: Number }));
    await Order.createCollection();
    await outbox.init();
    await connection.transaction(async (session) => {
      await Order.create([{ ordernr: 1 }], { session });
      await outbox.put(order(1), session);
    });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect(await Order.countDocuments()).toBe(1);
  });

  it('that is aborted delivers nothing, on any path', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.start();
    const failure = new Error('the service thinks again');
    await expect(
      connection.transaction(async (session) => {
        await outbox.put([order(1), order(2)], session);
        throw failure;
      }),
    ).rejects.toBe(failure);
    const session = await connection.startSession();
    session.startTransaction();
    await outbox.put(order(3), session);
    await session.abortTransaction();
    session.startTransaction();
    await outbox.put(order(4), session);
    await session.endSession(); // aborts what was not committed

    await outbox.put(order(5), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([5]);
    // It is taken out of pending only after it is in the log.
    await waitFor(async () => (await connection.collection('Outbox.pending').countDocuments()) === 0);
    expect(await outbox.model.countDocuments({ type: { $exists: true } })).toBe(1);
  });

  it('that has not committed yet has delivered nothing, and holds up no other', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const session = await connection.startSession();
    session.startTransaction();
    await outbox.put(order(1), session);
    await outbox.put(order(2), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
    await session.commitTransaction();
    await session.endSession();
    expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([2, 1]);
  });

  it('that is retried after a write conflict delivers its messages once', async () => {
    const { outbox, connection } = await createOutbox();
    const stock = connection.collection<{ _id: number; count: number }>('stock');
    await stock.insertOne({ _id: 1, count: 0 });
    await outbox.init();
    let attempts = 0;
    await connection.transaction(async (session) => {
      attempts += 1;
      const ids = await outbox.put([order(attempts), order(attempts, 'again')], session);
      expect(ids).toHaveLength(2);
      // Somebody else writes after this transaction's snapshot was taken.
      if (attempts < 3) await stock.updateOne({ _id: 1 }, { $inc: { count: 1 } });
      await stock.updateOne({ _id: 1 }, { $inc: { count: 10 } }, { session: session });
    });
    expect(attempts).toBe(3);
    await outbox.put(order(9), null);
    expect(numbersOf(await collect(outbox.messages(), 3))).toEqual([3, 3, 9]);
  });

  it('keeps the order of its puts, of single messages and arrays', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    await connection.transaction(async (session) => {
      await outbox.put(order(1), session);
      await outbox.put(orders(2, 3), session);
      await outbox.put({ type: 'order_shipped', data: { ordernr: 5 } }, session);
      await outbox.put(orders(6, 2), session);
    });
    expect(numbersOf(await collect(outbox.messages(), 7))).toEqual(range(1, 7));
  });

  it('keeps the order of the calls where puts are started together', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const groups = range(0, 20).map((group) => orders(group * 5 + 1, group % 3 === 0 ? 1 : 5));
    await connection.transaction(async (session) => {
      const ids = await Promise.all(groups.map((group) => outbox.put(group, session)));
      expect(ids.map(({ length }) => length)).toEqual(groups.map(({ length }) => length));
    });
    const expected = groups.flat();
    expect(numbersOf(await collect(outbox.messages(), expected.length))).toEqual(numbersOf(expected));
  });

  it('takes puts started together of which one is refused, and delivers the others', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    await connection.transaction(async (session) => {
      const bad = { type: 'order_created', data: { ordernr: 'none' } } as unknown as TestMessage;
      const results = await Promise.allSettled([order(1), bad, order(2)].map((each) => outbox.put(each, session)));
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([1, 2]);
  });

  it('takes part beside others at the same time', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    await Promise.all(
      range(0, 10).map((index) =>
        connection.transaction(async (session) => {
          await outbox.put(order(index * 2), session);
          await outbox.put(order(index * 2 + 1), session);
        }),
      ),
    );
    const numbers = numbersOf(await collect(outbox.messages(), 20));
    expect([...numbers].sort((a, b) => a - b)).toEqual(range(0, 20));
    for (const even of range(0, 10)) expect(numbers.indexOf(even * 2)).toBeLessThan(numbers.indexOf(even * 2 + 1));
  });

  it('takes puts into several outboxes', async () => {
    const { outbox: one, connection } = await createOutbox({ name: 'One' });
    const { outbox: two } = await createOutbox({ name: 'Two', connection });
    await Promise.all([one.init(), two.init()]);
    await connection.transaction(async (session) => {
      await Promise.all([one.put(order(1), session), two.put(order(2), session), one.put(order(3), session)]);
    });
    expect(numbersOf(await collect(one.messages(), 2))).toEqual([1, 3]);
    expect(numbersOf(await collect(two.messages(), 1))).toEqual([2]);
  });

  it('may be the first that the outbox meets: it is retried once the collections are there', async () => {
    const { outbox, connection } = await createOutbox();
    await connection.collection('state').insertOne({ first: true });
    await connection.transaction(async (session) => {
      await connection.collection('state').insertOne({ second: true }, { session: session });
      await outbox.put(order(1), session);
    });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect(await connection.collection('state').countDocuments()).toBe(2);
  });
});

describe('a refused put', () => {
  const invalid = { type: 'order_created', data: {} } as unknown as TestMessage;

  it('refuses the whole array, and leaves the transaction usable', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    await connection.transaction(async (session) => {
      await outbox.put(order(1), session);
      await expect(outbox.put([order(2), invalid, order(3)], session)).rejects.toBeInstanceOf(
        mongoose.Error.ValidationError,
      );
      await expect(outbox.put([order(4), { ...order(5), id: '' }], session)).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
      });
      await expect(outbox.put([], session)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
      await outbox.put(order(6), session);
    });
    expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([1, 6]);
    expect(await collectAll(outbox.messages('beginning', { live: false }))).toHaveLength(2);
  });

  const refused: [string, unknown, object][] = [
    ['an empty array', [], { code: 'INVALID_MESSAGE' }],
    ['undefined', undefined, { code: 'INVALID_MESSAGE' }],
    ['null', null, { code: 'INVALID_MESSAGE' }],
    ['a string', 'order_created', { code: 'INVALID_MESSAGE' }],
    ['an array in an array', [[order(1)]], { code: 'INVALID_MESSAGE' }],
    ['an unknown type', { type: 'order_lost', data: {} }, { code: 'UNKNOWN_TYPE' }],
    ['a type named like a property of all objects', { type: 'constructor', data: {} }, { code: 'UNKNOWN_TYPE' }],
    ['an unknown field', { type: 'order_created', data: { ordernr: 1, secret: 1 } }, { code: 'INVALID_MESSAGE' }],
    [
      'undefined in data',
      { type: 'order_created', data: { ordernr: 1, note: undefined } },
      { code: 'INVALID_MESSAGE' },
    ],
    ['a missing field', { type: 'order_created', data: { note: 'x' } }, { name: 'ValidationError' }],
    ['an empty id', { ...order(1), id: '' }, { code: 'INVALID_MESSAGE' }],
    ['a key that is too long', { ...order(1), key: 'k'.repeat(2_000) }, { code: 'INVALID_MESSAGE' }],
    ['a header that is no string', { ...order(1), headers: { h: 1 } }, { code: 'INVALID_MESSAGE' }],
  ];

  it('says why, and sends nothing: inside a transaction, which stays usable, and outside', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    await connection.transaction(async (session) => {
      for (const [what, message, expected] of refused)
        await expect(outbox.put(message as TestMessage, session), what).rejects.toMatchObject(expected);
      await outbox.put(order(1), session);
    });
    for (const [what, message, expected] of refused)
      await expect(outbox.put(message as TestMessage, null), what).rejects.toMatchObject(expected);
    expect(await connection.collection('Outbox.pending').countDocuments()).toBe(1);
  });
});

describe('what is delivered', () => {
  it('has the id, the key and the headers that were put', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    let ids: string[] = [];
    await connection.transaction(async (session) => {
      ids = await outbox.put(
        [
          { ...order(1), id: 'mine', key: 'k', headers: { a: 'x', 'b.c': '', $d: 'y' } },
          order(2),
          { ...order(3), headers: {} },
        ],
        session,
      );
    });
    const [first, second, third] = await collect(outbox.messages(), 3);
    expect(ids).toEqual(['mine', expect.stringMatching(/^[0-9a-f]{24}$/), expect.stringMatching(/^[0-9a-f]{24}$/)]);
    const created = expect.any(Date) as Date;
    expect(first).toStrictEqual({
      ...order(1),
      id: 'mine',
      position: 1,
      created,
      key: 'k',
      headers: { a: 'x', 'b.c': '', $d: 'y' },
    });
    expect(second).toStrictEqual({ ...order(2), id: ids[1], position: 2, created, headers: {} });
    expect(third).toStrictEqual({ ...order(3), id: ids[2], position: 3, created, headers: {} });
    expect(await outbox.put({ ...order(4), id: 'own' }, null)).toBe('own');
    expect(await outbox.put(order(5), null)).toMatch(/^[0-9a-f]{24}$/);
  });
});

describe('two puts with the same id are two messages', () => {
  const same = (ordernr: number) => ({ ...order(ordernr), id: 'same' });
  const inTransaction = async (
    { outbox, connection }: TestOutbox<TestMessage>,
    work: (session: ClientSession) => Promise<unknown>,
  ) => {
    await outbox.init();
    await connection.transaction(async (session) => void (await work(session)));
  };

  it('in one call, and in one transaction', async () => {
    const made = await createOutbox();
    await inTransaction(made, async (session) => {
      expect(await made.outbox.put([same(1), same(2)], session)).toEqual(['same', 'same']);
      await made.outbox.put(same(3), session);
    });
    const messages = await collect(made.outbox.messages(), 3);
    expect(messages.map(({ id, position, data }) => [id, position, data.ordernr])).toEqual([
      ['same', 1, 1],
      ['same', 2, 2],
      ['same', 3, 3],
    ]);
  });

  it('while the first is pending, and right after it was moved', async () => {
    const made = await createOutbox();
    await inTransaction(made, (session) => made.outbox.put(same(1), session));
    await inTransaction(made, (session) => made.outbox.put(same(2), session));
    expect(await made.connection.collection('Outbox.pending').countDocuments()).toBe(2);
    const messages = made.outbox.messages()[Symbol.asyncIterator]();
    const take = async () => numbersOf([(await messages.next()).value as Delivered<TestMessage>])[0];
    expect([await take(), await take()]).toEqual([1, 2]);
    await inTransaction(made, (session) => made.outbox.put(same(3), session));
    expect(await take()).toBe(3);
    await messages.return?.();
  });

  it("across a sequencer's restart", async () => {
    const made = await createOutbox();
    await inTransaction(made, (session) => made.outbox.put(same(1), session));
    expect(numbersOf(await collect(made.outbox.messages(), 1))).toEqual([1]);
    await made.outbox.close();

    const again = await createOutbox({ connection: made.connection });
    await inTransaction(again, (session) => again.outbox.put(same(2), session));
    expect(numbersOf(await collect(again.outbox.messages(), 2))).toEqual([1, 2]);
    await again.outbox.close();
    expect(await made.connection.collection('Outbox.pending').countDocuments()).toBe(0);
  });
});
