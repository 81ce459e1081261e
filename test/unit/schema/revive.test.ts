import fc from 'fast-check';
import mongoose, { Schema } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { Reviver } from '../../../src/schema/revive.js';
import { plainBson } from '../../../src/store/store.js';
import { otherMongoose, roundTrip } from '../../support/payloads.js';

const { ObjectId, Decimal128, UUID, Mixed, Int32, Double } = Schema.Types;
const mongo = mongoose.mongo;
const mongoose8 = await otherMongoose();

/** What readers get of data that another process stored, with other schemas or none. */
function revived(definition: unknown, stored: object, type = 't'): unknown {
  const data = mongo.BSON.deserialize(mongo.BSON.serialize({ data: stored }), plainBson)['data'] as unknown;
  return new Reviver(mongoose, { t: { data: definition } }).data(type, data);
}

describe.each([
  ['mongoose 9', mongoose],
  ['mongoose 8', mongoose8],
])('with %s, what was put comes back as its type says', (_version, base) => {
  const oid = new base.Types.ObjectId();
  const decimal = base.Types.Decimal128.fromString('12345678901234567890.12345');
  const uuid = new base.mongo.UUID();
  it.each<[string, unknown, object]>([
    ['strings', { a: String }, { a: 'ü \u0000 💶' }],
    [
      'numbers',
      { a: [Number] },
      { a: [5, -1.5, 2 ** 40, 2 ** 53, 1e300, -0, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER] },
    ],
    ['numbers by width', { a: Int32, b: Double }, { a: -5, b: 1 }],
    ['booleans', { a: Boolean, b: Boolean }, { a: true, b: false }],
    ['Dates', { a: Date, b: [Date] }, { a: new Date(0), b: [new Date(-1), new Date('9999-12-31')] }],
    [
      'bigints',
      { a: BigInt, b: [BigInt], m: { type: Map, of: BigInt } },
      { a: 5n, b: [2n ** 62n, -(2n ** 63n)], m: new Map([['k', 1n]]) },
    ],
    [
      'ObjectIds',
      { a: ObjectId, b: [ObjectId], m: { type: Map, of: ObjectId } },
      { a: oid, b: [oid], m: new Map([['k', oid]]) },
    ],
    ['Decimal128s', { a: Decimal128, b: [Decimal128] }, { a: decimal, b: [decimal] }],
    ['UUIDs', { a: UUID, b: [UUID] }, { a: uuid, b: [uuid] }],
    [
      'Buffers',
      { a: Buffer, b: [Buffer], m: { type: Map, of: Buffer } },
      { a: Buffer.from('x'), b: [Buffer.alloc(0), Buffer.from([0, 255])], m: new Map([['k', Buffer.from('y')]]) },
    ],
    [
      'Maps of anything',
      { m: Map },
      {
        m: new Map<string, unknown>([
          ['a', 1],
          ['b', { c: [true] }],
        ]),
      },
    ],
    ['empty Maps', { m: { type: Map, of: Number } }, { m: new Map() }],
    [
      'Maps of Maps',
      { m: { type: Map, of: { type: Map, of: Date } } },
      { m: new Map([['k', new Map([['l', new Date(5)]])]]) },
    ],
    [
      'Maps of objects with Maps and Buffers',
      { m: { type: Map, of: { n: { type: Map, of: Number }, b: Buffer } } },
      { m: new Map([['k', { n: new Map([['l', 1]]), b: Buffer.from('x') }]]) },
    ],
    ['Maps of arrays of Buffers', { m: { type: Map, of: [Buffer] } }, { m: new Map([['k', [Buffer.from('x')]]]) }],
    [
      'Maps with keys of any script',
      { m: { type: Map, of: Number } },
      {
        m: new Map([
          ['ü', 1],
          ['', 2],
          ['a b', 3],
        ]),
      },
    ],
    [
      'objects',
      { o: { d: Date, p: { b: Buffer, n: BigInt } } },
      { o: { d: new Date(1), p: { b: Buffer.from('x'), n: 3n } } },
    ],
    [
      'arrays of objects',
      { l: [{ d: Date, b: Buffer, m: { type: Map, of: Number }, l: [{ n: BigInt }] }] },
      { l: [{ d: new Date(1), b: Buffer.from('x'), m: new Map([['k', 1]]), l: [{ n: 1n }] }, {}] },
    ],
    ['arrays of arrays', { a: [[Buffer]], o: [[{ n: BigInt }]] }, { a: [[Buffer.from('x')], []], o: [[{ n: 1n }]] }],
    ['arrays of Maps', { a: [{ type: Map, of: BigInt }] }, { a: [new Map([['k', 1n]])] }],
    ['optional objects', { o: { type: { b: Buffer } } }, { o: { b: Buffer.from('x') } }],
    [
      'null',
      { s: String, m: { type: Map, of: Number }, b: Buffer, n: BigInt, o: { type: { a: String } }, l: [Buffer] },
      { s: null, m: null, b: null, n: null, o: null, l: [null] },
    ],
    [
      'values inside Mixed',
      { x: Mixed },
      {
        x: {
          s: 'x',
          n: 1.5,
          i: 2 ** 40,
          t: true,
          z: null,
          d: new Date(5),
          b: Buffer.from('x'),
          g: 2n ** 60n,
          o: oid,
          e: decimal,
          u: uuid,
          r: /a.b/gi,
          a: [[Buffer.from('y')], { d: new Date(6) }],
          m: {},
        },
      },
    ],
    [
      "the driver's own types inside Mixed",
      { x: Mixed },
      {
        x: {
          t: new base.mongo.Timestamp({ t: 5, i: 6 }),
          min: new base.mongo.MinKey(),
          max: new base.mongo.MaxKey(),
          c: new base.mongo.Code('return 1', { a: 1 }),
          f: new base.mongo.DBRef('c', oid),
          b: new base.mongo.Binary(Buffer.from('x'), 128),
          r: new base.mongo.BSONRegExp('(?i)a', 'x'),
        },
      },
    ],
  ])('%s', async (_what, definition, value) => {
    expect(await roundTrip(definition, value, base)).toStrictEqual(value);
  });

  it('numbers of the driver inside Mixed as numbers and bigints', async () => {
    const { Int32: I, Double: D, Long, Binary } = base.mongo;
    const x = { i: new I(5), d: new D(1.5), l: Long.fromString('9007199254740993'), b: new Binary(Buffer.from('x')) };
    expect(await roundTrip({ x: Mixed }, { x }, base)).toEqual({
      x: { i: 5, d: 1.5, l: 9007199254740993n, b: Buffer.from('x') },
    });
  });

  it('a Buffer that is one, not a view of the whole reply', async () => {
    const { b } = (await roundTrip({ b: Buffer }, { b: Buffer.from('abc') }, base)) as { b: Buffer };
    expect(Buffer.isBuffer(b)).toBe(true);
    expect(b.toString()).toBe('abc');
    expect(b).toHaveLength(3);
  });

  it('a plain object, not a document of mongoose', async () => {
    const data = (await roundTrip({ o: { a: [String] } }, { o: { a: ['x'] } }, base)) as { o: { a: string[] } };
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(data.o)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(data.o.a)).toBe(Array.prototype);
  });
});

describe('what another process stored', () => {
  it('comes back with the fields that this one does not know, of every type', () => {
    const unknown = {
      s: 'x',
      n: 1.5,
      g: 2n ** 60n,
      d: new Date(5),
      b: Buffer.from('x'),
      o: new mongo.ObjectId(),
      e: mongo.Decimal128.fromString('1.5'),
      u: new mongo.UUID(),
      a: [{ b: Buffer.from('y') }],
      p: { q: { b: Buffer.from('z') } },
      z: null,
    };
    const definition = {
      known: String,
      o: { known: String },
      l: [{ known: String }],
      m: { type: Map, of: { known: String } },
    };
    const stored = {
      known: 'x',
      ...unknown,
      o: { known: 'y', unknown },
      l: [{ known: 'z', unknown }],
      m: { k: { unknown } },
    };
    expect(revived(definition, stored)).toStrictEqual({ ...stored, m: new Map([['k', { unknown }]]) });
  });

  it('comes back as it is where this process does not know the type', () => {
    const stored = { n: 5, b: Buffer.from('x'), g: 2n ** 60n, o: { a: [1, { b: Buffer.from('y') }] } };
    expect(revived({ other: String }, stored, 'newer')).toStrictEqual(stored);
  });

  it('comes back as it is where the kind of a field has changed', () => {
    const stored = { m: 'was a Map', o: 5, l: { a: 1 }, b: 'was a Buffer', n: 'was a number', g: 'was a bigint' };
    const definition = {
      m: { type: Map, of: Number },
      o: { a: String },
      l: [{ a: String }],
      b: Buffer,
      n: Number,
      g: BigInt,
    };
    expect(revived(definition, stored)).toStrictEqual(stored);
  });

  it('comes back as a number where another program stored a 64-bit integer in a Number', () => {
    const { Long } = mongo;
    const stored = {
      n: Long.fromNumber(5),
      l: [Long.fromNumber(6)],
      m: { k: Long.fromNumber(7) },
      o: { n: Long.fromNumber(8) },
    };
    const definition = { n: Number, l: [Number], m: { type: Map, of: Number }, o: { n: Number } };
    expect(revived(definition, stored)).toStrictEqual({ n: 5, l: [6], m: new Map([['k', 7]]), o: { n: 8 } });
  });

  it('comes back as a bigint where another program stored a 32-bit integer in a BigInt', () => {
    expect(revived({ n: BigInt, l: [BigInt] }, { n: 5, l: [6] })).toStrictEqual({ n: 5n, l: [6n] });
  });

  it('comes back as it is where a BigInt holds a fraction', () => {
    expect(revived({ n: BigInt }, { n: 1.5 })).toStrictEqual({ n: 1.5 });
  });

  it('comes back as an own field where its name is __proto__', () => {
    const stored = JSON.parse('{"a":"x","__proto__":{"b":1}}') as object;
    const data = revived({ a: String }, stored) as object;
    expect(Object.keys(data)).toEqual(['a', '__proto__']);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });

  it('comes back where it holds a regular expression that JavaScript does not know', () => {
    const stored = {
      x: new mongo.BSONRegExp('(?i)a++', ''),
      y: new mongo.BSONRegExp('a', 'x'),
      z: new mongo.BSONRegExp('a', 'im'),
    };
    expect(revived({ x: Mixed }, stored)).toEqual({ x: stored.x, y: stored.y, z: /a/im });
  });
});

it('round trips whatever JSON, Dates, Buffers and bigints are put into Mixed', async () => {
  const leaf = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true, min: new Date(-8.64e15), max: new Date(8.64e15) }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  );
  const key = fc
    .string({ unit: 'grapheme', maxLength: 8 })
    .filter((name) => name !== '__proto__' && !/^\$(ref|id|db)$/.test(name));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(tree, async (x) => {
      const value = { x: structured(x) };
      expect(await roundTrip({ x: Mixed }, value)).toEqual(value);
    }),
    { numRuns: 200 },
  );
});

/** fast-check makes objects without a prototype; what comes back has one. */
function structured(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structured);
  if (typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, structured(inner)]));
}
