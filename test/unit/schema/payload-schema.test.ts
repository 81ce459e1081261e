import mongoose, { Schema } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { cast, otherMongoose, rejection, roundTrip } from '../../support/payloads.js';

const mongoose8 = await otherMongoose();
const id = new mongoose.Types.ObjectId();

describe('a mongoose Schema for data', () => {
  it('stores what was put: no _id, no [], no {}, in subdocuments and nested paths neither', async () => {
    const schema = new Schema({
      a: String,
      list: [String],
      docs: [new Schema({ b: String, list: [Number] })],
      plain: [{ b: String }],
      sub: new Schema({ b: String, list: [String] }),
      nested: { b: String, list: [String], deeper: { c: String } },
      map: { type: Map, of: new Schema({ b: String, list: [String] }) },
    });
    expect(await roundTrip(schema, {})).toEqual({});
    expect(await roundTrip(schema, { nested: {}, sub: {}, docs: [{}], plain: [{}] })).toEqual({
      nested: {},
      sub: {},
      docs: [{}],
      plain: [{}],
    });
    const full = {
      a: 'x',
      list: ['y'],
      docs: [{ b: 'x', list: [1] }],
      plain: [{ b: 'x' }],
      sub: { b: 'x', list: ['y'] },
      nested: { b: 'x', list: ['y'], deeper: { c: 'z' } },
      map: new Map([['k', { b: 'x', list: ['z'] }]]),
    };
    expect(await roundTrip(schema, full)).toEqual(full);
    expect(await roundTrip(schema, { map: new Map([['k', { b: 'x' }]]) })).toEqual({
      map: new Map([['k', { b: 'x' }]]),
    });
  });

  it('keeps an _id and an id that it declares itself', async () => {
    const schema = new Schema({ _id: Number, id: String, docs: [new Schema({ _id: String })] });
    const value = { _id: 1, id: 'x', docs: [{ _id: 'y' }] };
    expect(await roundTrip(schema, value)).toEqual(value);
  });

  it('stores explicit defaults, and leaves out the nested paths that have none', async () => {
    const schema = new Schema({
      nested: { a: { type: Number, default: 1 }, other: { b: String } },
      c: { type: String, default: 'x' },
    });
    expect(await roundTrip(schema, {})).toEqual({ nested: { a: 1 }, c: 'x' });
  });

  it.each<[string, Schema, object, string]>([
    ['at the top', new Schema({ a: String }), { b: 1 }, 'data.b'],
    ['in a schema that is not strict', new Schema({ a: String }, { strict: false }), { b: 1 }, 'data.b'],
    ['in a nested path', new Schema({ n: { a: String } }), { n: { b: 1 } }, 'data.n.b'],
    ['in a subdocument', new Schema({ n: new Schema({ a: String }) }), { n: { b: 1 } }, 'data.n.b'],
    ['in an array', new Schema({ l: [new Schema({ a: String })] }), { l: [{ a: 'x' }, { b: 1 }] }, 'data.l.1.b'],
    ['in a Map', new Schema({ m: { type: Map, of: new Schema({ a: String }) } }), { m: { k: { b: 1 } } }, 'data.m.k.b'],
    [
      'in a Map of arrays',
      new Schema({ m: { type: Map, of: [new Schema({ a: String })] } }),
      { m: { k: [{ b: 1 }] } },
      'data.m.k.0.b',
    ],
    ['that mongoose would have added as _id', new Schema({ a: String }), { _id: id }, 'data._id'],
  ])('refuses an unknown field %s', async (_where, schema, value, path) => {
    const error = await rejection(cast(schema, value));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.stringContaining(`"${path}"`) as string });
  });

  it.each<[string, Schema, object, string]>([
    ['a missing required array', new Schema({ a: { type: [String], required: true } }), {}, 'data.a'],
    [
      'a missing required array of subdocuments',
      new Schema({ a: { type: [new Schema({ b: String })], required: true } }),
      {},
      'data.a',
    ],
    ['a missing field of a nested path', new Schema({ n: { a: { type: String, required: true } } }), {}, 'data.n.a'],
    [
      'a missing field of a subdocument',
      new Schema({ n: new Schema({ a: { type: String, required: true } }) }),
      { n: {} },
      'data.n.a',
    ],
    ['a missing subdocument', new Schema({ n: { type: new Schema({ a: String }), required: true } }), {}, 'data.n'],
    ['""', new Schema({ a: { type: String, required: true } }), { a: '' }, 'data.a'],
  ])('refuses %s', async (_what, schema, value, path) => {
    const error = await rejection(cast(schema, value));
    expect(error).toBeInstanceOf(mongoose.Error.ValidationError);
    expect((error as mongoose.Error.ValidationError).errors).toHaveProperty([path]);
  });

  it('runs its validators, setters and hooks, those added later too', async () => {
    const inner = new Schema({ s: { type: String, uppercase: true } });
    const schema = new Schema({ n: Number, l: [inner], o: inner });
    schema.path('n').validate((value: number) => value < 10, 'too much');
    schema.path('l').validate((value: unknown[]) => value.length < 3, 'too many');
    schema.path('o').required(true);
    schema.pre('validate', function () {
      if (this.get('n') === 5) throw new Error('five');
    });
    expect(await roundTrip(schema, { n: 4, l: [{ s: 'a' }], o: { s: 'b' } })).toEqual({
      n: 4,
      l: [{ s: 'A' }],
      o: { s: 'B' },
    });
    expect(await rejection(cast(schema, { n: 11, o: {} }))).toMatchObject({ errors: { 'data.n': {} } });
    expect(await rejection(cast(schema, { n: 1, o: {}, l: [{}, {}, {}] }))).toMatchObject({ errors: { 'data.l': {} } });
    expect(await rejection(cast(schema, { n: 1 }))).toMatchObject({ errors: { 'data.o': {} } });
    expect(await rejection(cast(schema, { n: 5, o: {} }))).toBeInstanceOf(Error);
  });

  it('takes fields set by an alias, and stores no virtuals', async () => {
    const schema = new Schema({ n: { type: Number, alias: 'ordernr' } });
    schema.virtual('twice').get(function () {
      return Number(this.get('n')) * 2;
    });
    expect(await roundTrip(schema, { ordernr: 4 })).toEqual({ n: 4 });
  });

  it('must not have embedded discriminators, which nobody would check', () => {
    const schema = new Schema({ items: [new Schema({}, { discriminatorKey: 'kind' })] });
    schema.path<Schema.Types.DocumentArray>('items').discriminator('book', new Schema({ pages: Number }));
    expect(() => cast(schema, {})).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA', message: expect.stringContaining('items') as string }),
    );
  });

  it('may stand inside a literal: as a field, an array, an optional one, a Map', async () => {
    const inner = new Schema({ a: { type: String, required: true }, list: [String] });
    const literal = { one: inner, must: { type: inner, required: true }, many: [inner], map: { type: Map, of: inner } };
    const value = { one: { a: 'x' }, must: { a: 'y' }, many: [{ a: 'z' }], map: new Map([['k', { a: 'w' }]]) };
    expect(await roundTrip(literal, value)).toEqual(value);
    expect(await roundTrip(literal, { must: { a: 'y' } })).toEqual({ must: { a: 'y' } });
    expect(await rejection(cast(literal, {}))).toMatchObject({ errors: { 'data.must': {} } });
    expect(await rejection(cast(literal, { must: { a: 'x', b: 1 } }))).toMatchObject({
      message: expect.stringContaining('"data.must.b"') as string,
    });
  });

  it("leaves the caller's own schemas as they were", async () => {
    const inner = new Schema({ b: { type: String, default: 'x' }, list: [Number] });
    const schema = new Schema({
      a: String,
      list: [String],
      sub: inner,
      docs: [inner],
      nested: { list: [String] },
      map: { type: Map, of: inner },
    });
    await cast(schema, { a: 'x', docs: [{}] });
    await cast({ field: schema, list: [inner] }, { field: {} });

    const Model = new mongoose.Mongoose().model('Own', schema);
    const own = new Model({ a: 'x', docs: [{}], sub: {}, unknown: 1, map: { k: {} } }).toObject({ flattenMaps: true });
    const sub = { _id: expect.any(mongoose.Types.ObjectId) as unknown, b: 'x', list: [] };
    expect(own).toEqual({ ...sub, b: undefined, a: 'x', docs: [sub], sub, nested: { list: [] }, map: { k: sub } });
    expect(schema.get('strict')).toBe(true);
    expect(Object.keys(schema.path('list').options)).toEqual(['type']);
  });
});

describe('a Schema from another copy of mongoose', () => {
  const copies = [
    ['an older copy, in a newer one', mongoose8, mongoose],
    ['a newer copy, in an older one', mongoose, mongoose8],
    ['another instance of the same copy', new mongoose.Mongoose(), mongoose],
  ] as const;

  it.each(copies)('%s: every type comes back as its type says', async (_which, foreign, base) => {
    const { Schema: Foreign } = foreign;
    const { Types } = Foreign;
    const inner = new Foreign({ o: Types.ObjectId, d: { type: Types.Decimal128, required: true } });
    const schema = new Foreign({
      s: { type: String, required: true, enum: ['x', 'y'] },
      n: { type: Number, min: 1 },
      b: Boolean,
      t: Date,
      i: BigInt,
      buf: Buffer,
      o: Types.ObjectId,
      d: Types.Decimal128,
      u: Types.UUID,
      x: Types.Mixed,
      map: { type: Map, of: Types.ObjectId },
      maps: { type: Map, of: inner },
      os: [Types.ObjectId],
      oss: [[Types.ObjectId]],
      docs: [inner],
      sub: inner,
      nested: { o: Types.ObjectId, list: [Types.Decimal128] },
    });
    const o = new base.Types.ObjectId();
    const d = base.Types.Decimal128.fromString('1.50');
    const value = {
      s: 'x',
      n: 1.5,
      b: true,
      t: new Date(5),
      i: 5n,
      buf: Buffer.from('x'),
      o,
      d,
      u: new base.mongo.UUID(),
      x: { o, d },
      map: new Map([['k', o]]),
      maps: new Map([['k', { o, d }]]),
      os: [o],
      oss: [[o]],
      docs: [{ o, d }],
      sub: { o, d },
      nested: { o, list: [d] },
    };
    expect(await roundTrip(schema, value, base)).toEqual(value);
    expect(await roundTrip(schema, { ...value, o: o.toHexString(), d: '1.50', u: value.u.toString() }, base)).toEqual(
      value,
    );
    expect(await roundTrip(schema, { s: 'x' }, base)).toEqual({ s: 'x' });
  });

  it.each(copies)('%s: refuses what it would refuse of its own', async (_which, { Schema: Foreign }, base) => {
    const schema = new Foreign({
      s: { type: String, required: true, enum: ['x'] },
      n: Number,
      v: { type: Number, validate: (value: number) => value > 0 },
      docs: [{ a: { type: String, required: true } }],
      o: Foreign.Types.ObjectId,
    });
    schema.path('n').validate((value: number) => value < 10, 'too much');
    const refused: [object, string][] = [
      [{}, 'data.s'],
      [{ s: '' }, 'data.s'],
      [{ s: 'y' }, 'data.s'],
      [{ s: 'x', n: 'word' }, 'data.n'],
      [{ s: 'x', n: 10 }, 'data.n'],
      [{ s: 'x', v: 0 }, 'data.v'],
      [{ s: 'x', docs: [{}] }, 'data.docs.0.a'],
      [{ s: 'x', o: 'word' }, 'data.o'],
    ];
    for (const [value, path] of refused) {
      const error = await rejection(cast(schema, value, base));
      expect(error).toBeInstanceOf(base.Error.ValidationError);
      expect((error as mongoose.Error.ValidationError).errors).toHaveProperty([path]);
    }
    expect(await rejection(cast(schema, { s: 'x', docs: [{ a: 'x', b: 1 }] }, base))).toMatchObject({
      code: 'INVALID_MESSAGE',
      message: expect.stringContaining('"data.docs.0.b"') as string,
    });
  });
});
