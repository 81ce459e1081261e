import { runEffects, tap, take } from '@most/core';
import mongoose, { Schema } from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { ServiceOutbox, Delivered, OutboxMessage } from '../../../src/index.js';
import { collect, collectAll, createOutbox } from '../../support/create-outbox.js';
import { otherMongoose } from '../../support/payloads.js';

const mongoose8 = await otherMongoose();
const { ObjectId, Decimal128, UUID, Mixed, Int32, Double } = Schema.Types;

type AnyMessage = { type: string; data: object };

/** What a reader gets of the data, by the stream and by the iterable; both give the same. */
async function deliver(outbox: ServiceOutbox<OutboxMessage>, count: number): Promise<unknown[]> {
  const byIterable = await collect(outbox.messages(), count);
  const byStream: Delivered<AnyMessage>[] = [];
  const [stream, scheduler, close] = outbox.tail();
  await runEffects(
    tap((message: Delivered<AnyMessage>) => void byStream.push(message), take(count, stream)),
    scheduler,
  );
  await close();
  expect(byStream).toStrictEqual(byIterable);
  return byIterable.map(({ data }) => data);
}

describe.each([
  ['mongoose 9', mongoose],
  ['mongoose 8', mongoose8],
])('through the server and %s', (_version, base) => {
  const { mongo } = base;
  const oid = new mongo.ObjectId();
  const decimal = mongo.Decimal128.fromString('-12345678901234567890.12345');
  const uuid = new mongo.UUID();

  const schemas = {
    scalars: {
      data: {
        s: { type: String, required: true },
        kind: { type: String, enum: ['a', 'b'], required: true },
        n: Number,
        limited: { type: Number, min: 1, max: 9 },
        i: Int32,
        f: Double,
        t: Boolean,
        d: Date,
        g: BigInt,
        e: Decimal128,
        b: Buffer,
        o: ObjectId,
        u: UUID,
        even: { type: Number, validate: (value: number) => value % 2 === 0 },
      },
    },
    containers: {
      data: {
        o: { p: { q: { type: String, required: true }, d: Date } },
        optional: { type: { b: Buffer } },
        list: [Date],
        required: { type: [String], required: true },
        lists: [[BigInt]],
        objects: [{ b: Buffer, list: [Decimal128] }],
        map: { type: Map, of: Number },
        maps: { type: Map, of: { b: Buffer, m: { type: Map, of: ObjectId } } },
      },
    },
    mixed: { data: { x: Mixed } },
    schema: { data: new base.Schema({ n: { type: Map, of: Buffer }, nested: { list: [ObjectId], b: Buffer } }) },
    none: { data: {} },
  };

  it('every type of field comes back as its type says, and with nothing added', async () => {
    const { outbox, connection } = await createOutbox<OutboxMessage>({ base, schemas: schemas });
    const everything = {
      s: 'x', n: 1.5, i: 5, l: 2 ** 40, t: true, z: null, d: new Date(5), b: Buffer.from('x'), g: 2n ** 60n, o: oid, e: decimal, u: uuid,
      r: /a.b/gi, a: [[Buffer.from('y')], { d: new Date(6) }, []], m: {}, ts: new mongo.Timestamp({ t: 5, i: 6 }), zero: new mongo.Timestamp({ t: 0, i: 0 }),
      min: new mongo.MinKey(), max: new mongo.MaxKey(), c: new mongo.Code('return 1', { a: 1 }), f: new mongo.DBRef('c', oid),
      v: new mongo.Binary(Buffer.from('x'), 128), p: new mongo.BSONRegExp('(?i)a++', 'x'), $dollar: 1, 'with.dot': 2, nan: Number.NaN, minus: -0,
    }; // prettier-ignore
    const messages: AnyMessage[] = [
      {
        type: 'scalars',
        data: {
          s: 'ü \u0000 💶',
          kind: 'a',
          n: -1.5,
          limited: 9,
          i: -5,
          f: 1,
          t: false,
          d: new Date(-1),
          g: -(2n ** 63n),
          e: decimal,
          b: Buffer.from([0, 255]),
          o: oid,
          u: uuid,
          even: 4,
        },
      },
      { type: 'scalars', data: { s: 'only what is required', kind: 'b' } },
      { type: 'scalars', data: { s: 'null', kind: 'b', n: null, d: null, g: null, b: null, o: null } },
      {
        type: 'containers',
        data: {
          o: { p: { q: 'x', d: new Date(7) } },
          optional: { b: Buffer.from('x') },
          list: [new Date(8)],
          required: ['y'],
          lists: [[1n, 2n], []],
          objects: [{ b: Buffer.from('z'), list: [decimal] }, {}],
          map: new Map([['k', 1.5]]),
          maps: new Map([['k', { b: Buffer.from('w'), m: new Map([['l', oid]]) }]]),
        },
      },
      { type: 'containers', data: { o: { p: { q: 'x' } }, required: [] } },
      { type: 'mixed', data: { x: everything } },
      { type: 'mixed', data: {} },
      { type: 'schema', data: { n: new Map([['k', Buffer.from('x')]]), nested: { list: [oid], b: Buffer.from('y') } } },
      { type: 'schema', data: {} },
      { type: 'none', data: {} },
    ];
    await connection.transaction(async (session) => void (await outbox.put(messages, session)));
    const delivered = await deliver(outbox, messages.length);
    for (const [index, { data }] of messages.entries())
      expect(delivered[index], `message ${index}`).toStrictEqual(data);
    expect(await outbox.model.countDocuments({ type: 'scalars' })).toBe(3);
  });

  it('what a process with newer schemas put is delivered whole by an older one, and moved by it', async () => {
    const older = await createOutbox<OutboxMessage>({
      base,
      schemas: {
        order: { data: { nr: Number, address: { type: { street: String } }, lines: [{ sku: String }] } },
      },
    });
    const newer = await createOutbox<OutboxMessage>({
      base,
      database: older.database,
      options: { sequencer: false },
      schemas: {
        order: {
          data: {
            nr: Number,
            address: { type: { street: String, floor: BigInt } },
            lines: [{ sku: String, photo: Buffer }],
            total: Decimal128,
            tags: { type: Map, of: Date },
            at: new base.Schema({ t: Date }),
          },
        },
        refund: { data: { amount: Decimal128, proof: Buffer, parts: { type: Map, of: BigInt }, by: ObjectId } },
      },
    });
    await older.outbox.init();
    const order = {
      nr: 1,
      address: { street: 'x', floor: 3n },
      lines: [{ sku: 'y', photo: Buffer.from('z') }],
      total: decimal,
      tags: new Map([['a', new Date(5)]]),
      at: { t: new Date(6) },
    };
    const refund = { amount: decimal, proof: Buffer.from('p'), parts: new Map([['k', 2n ** 60n]]), by: oid };
    await newer.outbox.put(
      [
        { type: 'order', data: order },
        { type: 'refund', data: refund },
      ],
      null,
    );

    // The older process knows neither the Map fields nor the type: it gets them as documents, and nothing is lost.
    expect(await deliver(older.outbox, 2)).toStrictEqual([
      { ...order, tags: { a: new Date(5) } },
      { ...refund, parts: { k: 2n ** 60n } },
    ]);
    expect(await deliver(newer.outbox, 2)).toStrictEqual([order, refund]);
    const known = await collectAll(older.outbox.messages('beginning', { types: ['order'], live: false }));
    expect(known.map(({ type, position }) => [type, position])).toEqual([['order', 1]]);
    expect(() => older.outbox.messages('beginning', { types: ['refund'] })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_TYPE' }),
    );
  });
});
