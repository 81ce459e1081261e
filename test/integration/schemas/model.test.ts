import mongoose, { Schema, type Model } from 'mongoose';
import { describe, expect, expectTypeOf, it } from 'vitest';

import { ServiceOutbox } from '../../../src/index.js';
import { collect, createConnection, createOutbox, type TestMessage } from '../../support/create-outbox.js';
import { numbersOf, order, orders } from '../../support/orders.js';
import { otherMongoose } from '../../support/payloads.js';

const shipped = (ordernr: number): TestMessage => ({ type: 'order_shipped', data: { ordernr } });

describe("the model's queries", () => {
  it('find by type, by position and by data, and leave the genesis entry out with $exists', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(
      [order(1, 'x'), shipped(1), order(2), { ...order(3), key: 'k', headers: { h: 'v' }, id: 'i' }],
      null,
    );
    await collect(outbox.messages(), 4);
    const { model } = outbox;
    expect(await model.countDocuments()).toBe(5);
    expect(await model.countDocuments({ type: { $exists: true } })).toBe(4);
    const created = await model.find({ type: 'order_created' }).sort({ _id: 1 });
    expect(created.map((entry) => [entry._id, entry.type, entry.data.ordernr])).toEqual([
      [1, 'order_created', 1],
      [3, 'order_created', 2],
      [4, 'order_created', 3],
    ]);
    expect(created[0]?.created).toBeInstanceOf(Date);
    const [third] = await model.find({ _id: { $gt: 3 }, type: 'order_created' }).lean();
    expect(third).toMatchObject({ _id: 4, id: 'i', key: 'k', headers: { h: 'v' }, data: { ordernr: 3 }, epoch: 1 });
    expect(await model.findOne({ 'data.note': 'x' }).lean()).toMatchObject({ _id: 1 });
    expect(await model.distinct('data.ordernr', { type: 'order_shipped' })).toEqual([1]);
    const perType = await model.aggregate<{ _id: string; count: number }>([
      { $match: { type: { $exists: true } } },
      { $group: { _id: '$type', count: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ]);
    expect(perType).toEqual([
      { _id: 'order_created', count: 3 },
      { _id: 'order_shipped', count: 1 },
    ]);
  });

  it('give documents with the types of the schemas', async () => {
    const connection = await createConnection();
    const outbox = ServiceOutbox.define(
      'Outbox',
      { all: { data: { d: Date, g: BigInt, b: Buffer, m: { type: Map, of: Number }, e: Schema.Types.Decimal128 } } },
      { connection },
    );
    const data = {
      d: new Date(5),
      g: 5n,
      b: Buffer.from('x'),
      m: new Map([['k', 1]]),
      e: mongoose.Types.Decimal128.fromString('1.5'),
    };
    await outbox.put({ type: 'all', data }, null);
    await collect(outbox.messages(), 1);
    const entry = await outbox.model.findOne({ type: 'all' });
    expect(entry?.data.d).toEqual(data.d);
    expect(entry?.data.g).toBe(5n);
    expect(entry?.data.m?.get('k')).toBe(1);
    expect(entry?.data.b?.toString()).toBe('x');
    expect(entry?.data.e?.toString()).toBe('1.5');
    await outbox.close();
  });

  it('show fields and types that only a newer process knows', async () => {
    const { outbox, connection } = await createOutbox();
    const newer = ServiceOutbox.define(
      'Outbox',
      { order_created: { data: { ordernr: Number, total: Number } }, order_lost: { data: { ordernr: Number } } },
      { connection: await createConnection({ database: connection.name }) },
    );
    await newer.put(
      [
        { type: 'order_created', data: { ordernr: 1, total: 5 } },
        { type: 'order_lost', data: { ordernr: 2 } },
      ],
      null,
    );
    await collect(outbox.messages(), 2);
    expect(
      await outbox.model
        .find({ type: { $exists: true } })
        .sort({ _id: 1 })
        .lean(),
    ).toMatchObject([
      { type: 'order_created', data: { ordernr: 1, total: 5 } },
      { type: 'order_lost', data: { ordernr: 2 } },
    ]);
    expect(await outbox.model.find({ type: { $exists: true } })).toHaveLength(2);
    await newer.close();
  });
});

/** What of the model the writes here need. */
type AnyModel = Model<{ _id: number; key?: string; type?: string }>;

describe('the model refuses with READ_ONLY', () => {
  const writes: [string, (model: AnyModel) => Promise<unknown>][] = [
    ['create', (model) => model.create({ _id: 9, type: 'order_created' })],
    ['save of a new document', (model) => new model({ _id: 9, type: 'order_created' }).save()],
    ['save of a found one', async (model) => (await model.findOne({ _id: 1 }))?.set('key', 'x').save()],
    ['insertMany', (model) => model.insertMany([{ _id: 9, type: 'order_created' }])],
    ['bulkWrite', (model) => model.bulkWrite([{ deleteOne: { filter: { _id: 1 } } }])],
    ['bulkSave', async (model) => model.bulkSave([(await model.findOne({ _id: 1 }))?.set('key', 'x') as never])],
    ['updateOne', (model) => model.updateOne({ _id: 1 }, { key: 'x' })],
    ['updateOne with upsert', (model) => model.updateOne({ _id: 9 }, { key: 'x' }, { upsert: true })],
    ['updateMany', (model) => model.updateMany({}, { key: 'x' })],
    ['replaceOne', (model) => model.replaceOne({ _id: 1 }, { key: 'x' })],
    ['deleteOne', (model) => model.deleteOne({ _id: 1 })],
    ['deleteMany', (model) => model.deleteMany({})],
    ['findOneAndUpdate', (model) => model.findOneAndUpdate({ _id: 1 }, { key: 'x' })],
    ['findOneAndReplace', (model) => model.findOneAndReplace({ _id: 1 }, { key: 'x' })],
    ['findOneAndDelete', (model) => model.findOneAndDelete({ _id: 1 })],
    ['findByIdAndUpdate', (model) => model.findByIdAndUpdate(1, { key: 'x' })],
    ['findByIdAndDelete', (model) => model.findByIdAndDelete(1)],
    [
      'updateOne of a document',
      async (model): Promise<unknown> => (await model.findOne({ _id: 1 }))?.updateOne({ key: 'x' }),
    ],
    ['deleteOne of a document', async (model) => (await model.findOne({ _id: 1 }))?.deleteOne()],
  ];

  it.each(['mongoose 9', 'mongoose 8'])('every write, also through the models of its types (%s)', async (version) => {
    const base = version === 'mongoose 8' ? await otherMongoose() : mongoose;
    const { outbox, connection } = await createOutbox({ base });
    await outbox.put(orders(1, 2), null);
    await collect(outbox.messages(), 2);
    const before = await connection.collection('Outbox').find().toArray();
    const models = [outbox.model, ...Object.values(outbox.model.discriminators ?? {})] as unknown as AnyModel[];
    expect(models).toHaveLength(3);
    for (const model of models.slice(0, 2))
      for (const [what, write] of writes)
        await expect(write(model), `${model.modelName}: ${what}`).rejects.toMatchObject({
          code: 'READ_ONLY',
          retryable: false,
        });
    expect(await connection.collection('Outbox').find().toArray()).toEqual(before);
  });
});

describe('beside the models of the service', () => {
  it('a model of the same name, and of the same collection, stays its own', async () => {
    const connection = await createConnection();
    const Own = connection.model('Outbox', new Schema({ mine: { type: String, required: true } }), 'own');
    const Pending = connection.model('Outbox.pending', new Schema({ mine: String }), 'ownpending');
    const Created = connection.model('order_created', new Schema({ mine: String }), 'owncreated');
    const { outbox } = await createOutbox({ connection });
    await outbox.put(order(1), null);
    await Own.create({ mine: 'x' });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect(await Own.find().lean()).toMatchObject([{ mine: 'x' }]);
    await outbox.close();
    expect(connection.modelNames().sort()).toEqual(['Outbox', 'Outbox.pending', 'order_created']);
    expect(connection.model('Outbox')).toBe(Own);
    expect([connection.model('Outbox.pending'), connection.model('order_created')]).toEqual([Pending, Created]);
  });

  it('a Schema from another copy of mongoose is put, delivered and queried like one of its own', async () => {
    const other = await otherMongoose();
    const inner = new other.Schema({ at: { type: Date, required: true }, by: other.Schema.Types.ObjectId });
    const schema = new other.Schema({
      total: other.Schema.Types.Decimal128,
      steps: [inner],
      tags: { type: Map, of: Buffer },
    });
    const connection = await createConnection();
    const outbox = ServiceOutbox.define('Outbox', { paid: { data: schema } }, { connection });
    const data = {
      total: mongoose.Types.Decimal128.fromString('1.50'),
      steps: [{ at: new Date(5), by: new mongoose.Types.ObjectId() }],
      tags: new Map([['k', Buffer.from('x')]]),
    };
    await connection.transaction(async (session) => void (await outbox.put({ type: 'paid', data } as never, session)));
    expect((await collect(outbox.messages(), 1))[0]?.data).toStrictEqual(data);
    const entry = await outbox.model.findOne({ type: 'paid', 'data.steps.at': new Date(5) });
    expect(entry?.toObject().data).toMatchObject({ total: data.total, steps: data.steps });
    await outbox.close();
  });

  it('global plugins change neither what is put nor what is delivered', async () => {
    const base = new mongoose.Mongoose();
    base.plugin((schema) => {
      schema.add({ tenantId: { type: String, required: true, default: undefined } });
      schema.pre('validate', function () {
        if (this.get('tenantId') === undefined) throw new Error('a tenant is needed');
      });
      schema.set('timestamps', true);
    });
    const { outbox, connection } = await createOutbox({ base });
    await connection.transaction(async (session) => void (await outbox.put([order(1, 'x'), shipped(2)], session)));
    const messages = await collect(outbox.messages(), 2);
    expect(messages.map(({ data }) => data)).toStrictEqual([{ ordernr: 1, note: 'x' }, { ordernr: 2 }]);
    const Own = connection.model('Own', new base.Schema({ a: String }));
    await expect(Own.create({ a: 'x' })).rejects.toThrow();
  });

  it('creating all collections of the connection does not create an uncapped log', async () => {
    const { outbox, connection } = await createOutbox({ options: { sizeBytes: 2 * 1024 * 1024 } });
    connection.model('Order', new Schema({ a: String }));
    await connection.createCollections();
    await connection.syncIndexes();
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect((await outbox.status()).log.sizeBytes).toBe(2 * 1024 * 1024);
  });

  it('several outboxes with types of the same names on one connection keep theirs', async () => {
    const connection = await createConnection();
    const one = ServiceOutbox.define(
      'One',
      { created: { data: { a: { type: Number, required: true } } } },
      { connection },
    );
    const two = ServiceOutbox.define(
      'Two',
      { created: { data: { b: { type: String, required: true } } } },
      { connection },
    );
    await connection.transaction(async (session) => {
      await one.put({ type: 'created', data: { a: 1 } }, session);
      await two.put({ type: 'created', data: { b: 'x' } }, session);
      await expect(two.put({ type: 'created', data: { a: 1 } } as never, session)).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
      });
    });
    expect((await collect(one.messages(), 1)).map(({ data }) => data)).toEqual([{ a: 1 }]);
    expect((await collect(two.messages(), 1)).map(({ data }) => data)).toEqual([{ b: 'x' }]);
    expect(await one.model.find({ type: 'created' }).lean()).toMatchObject([{ data: { a: 1 } }]);
    expect(await two.model.find({ type: 'created' }).lean()).toMatchObject([{ data: { b: 'x' } }]);
    expectTypeOf(one.model).not.toEqualTypeOf(two.model);
    await Promise.all([one.close(), two.close()]);
  });
});
