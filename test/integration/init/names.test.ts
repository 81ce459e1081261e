import { describe, expect, it } from 'vitest';

import { ServiceOutbox } from '../../../src/index.js';
import { collect, createConnection, createOutbox, testSchemas } from '../../support/create-outbox.js';
import { numbersOf, order } from '../../support/orders.js';

describe('a second outbox of one name on one connection', () => {
  it('is refused with NAME_IN_USE until the first is closed, and breaks nothing', async () => {
    const { outbox, connection } = await createOutbox();
    const modelNames = connection.modelNames();
    for (const schemas of [testSchemas, { other: { data: { a: String } } }])
      expect(() => new ServiceOutbox<never>('Outbox', schemas as never, { connection })).toThrow(
        expect.objectContaining({ code: 'NAME_IN_USE', retryable: false }),
      );
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect(connection.modelNames()).toEqual(modelNames);

    await outbox.close();
    expect(connection.modelNames()).toEqual([]);
    const again = await createOutbox({ connection });
    await again.outbox.put(order(2), null);
    expect(numbersOf(await collect(again.outbox.messages(), 2))).toEqual([1, 2]);
  });

  it('may have other schemas once the first is closed', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.put(order(1), null);
    await outbox.close();
    const other = ServiceOutbox.define(
      'Outbox',
      { order_created: { data: { total: { type: String, required: true } } } },
      { connection },
    );
    await other.put({ type: 'order_created', data: { total: 'x' } }, null);
    const messages = await collect(other.messages(), 2);
    expect(messages.map(({ data }) => data)).toEqual([{ ordernr: 1 }, { total: 'x' }]);
    expect(await other.model.find({ type: 'order_created' }).lean()).toHaveLength(2);
    await other.close();
  });

  it('is none where the names differ in case, or one is part of the other', async () => {
    const connection = await createConnection();
    const names = ['Orders', 'orders', 'Orders.eu', 'Orders.eu.pending.x', 'Order'];
    const all = await Promise.all(names.map(async (name) => (await createOutbox({ name, connection })).outbox));
    await Promise.all(all.map((outbox, index) => outbox.put(order(index), null)));
    for (const [index, outbox] of all.entries())
      expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([index]);
    await all[0]?.close();
    for (const [index, outbox] of [...all.entries()].slice(1))
      expect(await outbox.model.countDocuments({ type: 'order_created' }), names[index]).toBe(1);
  });

  it('is none on another connection to the same database', async () => {
    const { outbox, database } = await createOutbox();
    const second = await createOutbox({ database });
    await Promise.all([outbox.put(order(1), null), second.outbox.put(order(2), null)]);
    expect(numbersOf(await collect(second.outbox.messages(), 2)).sort()).toEqual([1, 2]);
  });
});
