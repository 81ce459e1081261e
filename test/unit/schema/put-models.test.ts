import mongoose, { Schema } from 'mongoose';
import { describe, expect, it, vi } from 'vitest';

import { PutModels } from '../../../src/schema/put-models.js';
import { cast, rejection, roundTrip } from '../../support/payloads.js';

const { Mixed, Decimal128, ObjectId, UUID, Int32 } = Schema.Types;
const id = new mongoose.Types.ObjectId();

/** Without mongoose's own classes around arrays, Maps and Buffers. */
async function stored(data: unknown, value: object): Promise<unknown> {
  const { BSON } = mongoose.mongo;
  return BSON.deserialize(BSON.serialize(await cast(data, value)), { promoteBuffers: true });
}

describe('stores what was put', () => {
  it.each<[string, unknown, object]>([
    ['nothing of an optional array', { a: [String] }, {}],
    ['nothing of an optional array in a declaration', { a: { type: [String] } }, {}],
    ['nothing of an optional array of objects', { a: [{ b: String }] }, {}],
    ['nothing of an optional array inside an object', { o: { a: [Number], b: String } }, { o: { b: 'x' } }],
    ['nothing of an optional array inside an array', { l: [{ a: [Number] }] }, { l: [{}] }],
    ['nothing of an optional Map', { m: { type: Map, of: Number } }, {}],
    ['nothing of an optional object', { o: { type: { a: String } } }, {}],
    [
      'nothing of an optional object that requires fields',
      { o: { type: { a: { type: String, required: true } } } },
      {},
    ],
    ['nothing of an optional object with a default inside', { o: { type: { a: { type: String, default: 'x' } } } }, {}],
    ['nothing of optional scalars', { s: String, n: Number, b: Boolean, d: Date, x: Mixed, o: ObjectId }, {}],
    ['an empty array', { a: [String] }, { a: [] }],
    ['an empty required array', { a: { type: [String], required: true } }, { a: [] }],
    ['an empty object', { o: { a: String } }, { o: {} }],
    ['an empty object in an array', { l: [{ a: String }] }, { l: [{}] }],
    ['an empty Map', { m: { type: Map, of: Number } }, { m: {} }],
    ['an empty string where it is optional', { s: String }, { s: '' }],
    [
      'null where it is optional',
      { s: String, n: Number, o: { type: { a: String } }, l: [String] },
      { s: null, n: null, o: null, l: null },
    ],
    [
      '0 and false where they are required',
      { n: { type: Number, required: true }, b: { type: Boolean, required: true } },
      { n: 0, b: false },
    ],
    [
      'objects without an _id of mongoose',
      { o: { a: String }, l: [{ a: String }] },
      { o: { a: 'x' }, l: [{ a: 'y' }] },
    ],
    [
      'an _id and an id that the schema declares',
      { _id: ObjectId, id: String, l: [{ _id: Number }] },
      { _id: id, id: 'x', l: [{ _id: 5 }] },
    ],
    ['a __v that the schema declares', { __v: Number }, { __v: 3 }],
    [
      'a field named type',
      { type: { type: String }, o: { type: { type: String }, a: Number } },
      { type: 'x', o: { type: 'y', a: 1 } },
    ],
    [
      'fields named like the parts of a declaration',
      { required: Boolean, default: String, enum: [String] },
      { required: false, default: 'x', enum: ['y'] },
    ],
    ['arrays of arrays', { a: [[Number]] }, { a: [[1, 2], [], [3]] }],
    ['arrays of arrays of objects', { a: [[{ b: { type: Number, required: true } }]] }, { a: [[{ b: 1 }], []] }],
    [
      'a Map of objects',
      { m: { type: Map, of: { a: { type: Number, required: true } } } },
      { m: { k: { a: 1 }, l: { a: 2 } } },
    ],
    ['a Map of arrays', { m: { type: Map, of: [Number] } }, { m: { k: [1], l: [] } }],
    ['a Map of Maps', { m: { type: Map, of: { type: Map, of: Number } } }, { m: { k: { l: 1 }, m: {} } }],
    ['empty objects and arrays inside Mixed', { x: Mixed }, { x: { a: {}, b: [], c: [{}] } }],
    ['any value inside Mixed', { x: Mixed }, { x: { a: 1, b: 'x', c: [null, { d: true }], e: id } }],
    ['any key inside Mixed', { x: Mixed }, { x: { $set: 1, 'a.b': 2, '': 3 } }],
  ])('%s', async (_what, definition, value) => {
    expect(await stored(definition, value)).toStrictEqual(value);
  });
});

describe('casts as mongoose does', () => {
  it.each<[string, unknown, object, object]>([
    ['"5" to a number', { n: Number }, { n: '5' }, { n: 5 }],
    [
      '"5" to a number inside objects, arrays and Maps',
      { o: { n: Number }, l: [{ n: Number }], a: [Number], m: { type: Map, of: Number } },
      { o: { n: '5' }, l: [{ n: '6' }], a: ['7'], m: { k: '8' } },
      { o: { n: 5 }, l: [{ n: 6 }], a: [7], m: { k: 8 } },
    ],
    ['a number to a string', { s: String }, { s: 5 }, { s: '5' }],
    ['"true" to a boolean', { b: Boolean }, { b: 'true' }, { b: true }],
    ['a time in milliseconds to a Date', { d: Date }, { d: 5 }, { d: new Date(5) }],
    ['24 digits to an ObjectId', { o: ObjectId }, { o: id.toHexString() }, { o: id }],
    ['a string to a Buffer', { b: Buffer }, { b: 'x' }, { b: Buffer.from('x') }],
    ['a Map to a document', { m: { type: Map, of: Number } }, { m: new Map([['k', 1]]) }, { m: { k: 1 } }],
    ['a single value to an array', { a: [Number] }, { a: 5 }, { a: [5] }],
    ['by setters', { s: { type: String, trim: true, lowercase: true } }, { s: ' Ab ' }, { s: 'ab' }],
    [
      'with explicit defaults',
      { s: { type: String, default: 'x' }, n: { type: Number, default: () => 3 } },
      {},
      { s: 'x', n: 3 },
    ],
    [
      'with explicit defaults of arrays and Maps',
      {
        a: { type: [Number], default: [1] },
        e: { type: [String], default: [] },
        m: { type: Map, of: Number, default: { k: 1 } },
      },
      {},
      { a: [1], e: [], m: { k: 1 } },
    ],
    [
      'with explicit defaults inside objects and arrays',
      { o: { a: { type: Number, default: 1 } }, l: [{ a: { type: Number, default: 2 } }] },
      { o: {}, l: [{}] },
      { o: { a: 1 }, l: [{ a: 2 }] },
    ],
    ['with no default where there is a value', { s: { type: String, default: 'x' } }, { s: 'y' }, { s: 'y' }],
  ])('%s', async (_what, definition, value, expected) => {
    expect(await stored(definition, value)).toStrictEqual(expected);
  });
});

describe('refuses what the schema does not allow, naming the path', () => {
  const required = { required: true } as const;
  it.each<[string, unknown, object, string]>([
    ['a missing field', { a: { type: String, ...required } }, {}, 'data.a'],
    ['a missing field with a text of its own', { a: { type: String, required: [true, 'text'] } }, {}, 'data.a'],
    ['null where it is required', { a: { type: Number, ...required } }, { a: null }, 'data.a'],
    ['"" where it is required', { a: { type: String, ...required } }, { a: '' }, 'data.a'],
    ['a missing required array', { a: { type: [String], ...required } }, {}, 'data.a'],
    ['a missing required array of objects', { a: { type: [{ b: String }], ...required } }, {}, 'data.a'],
    ['a missing required Map', { a: { type: Map, of: Number, ...required } }, {}, 'data.a'],
    ['a missing object', { o: { a: String } }, {}, 'data.o'],
    ['a missing field of an object', { o: { a: { type: String, ...required } } }, { o: {} }, 'data.o.a'],
    [
      'a missing field of an optional object that is there',
      { o: { type: { a: { type: String, ...required } } } },
      { o: {} },
      'data.o.a',
    ],
    ['a missing field deep inside', { o: { p: { q: { type: String, ...required } } } }, { o: { p: {} } }, 'data.o.p.q'],
    [
      'a missing field in an array',
      { l: [{ a: { type: String, ...required } }] },
      { l: [{ a: 'x' }, {}] },
      'data.l.1.a',
    ],
    [
      'a missing field in a Map',
      { m: { type: Map, of: { a: { type: String, ...required } } } },
      { m: { k: {} } },
      'data.m.k.a',
    ],
    ['a string for a number', { a: Number }, { a: 'x' }, 'data.a'],
    ['NaN for a number', { a: Number }, { a: Number.NaN }, 'data.a'],
    ['an object for a string', { a: String }, { a: {} }, 'data.a'],
    ['an array for a string', { a: String }, { a: ['x'] }, 'data.a'],
    ['a word for a boolean', { a: Boolean }, { a: 'maybe' }, 'data.a'],
    ['a word for a Date', { a: Date }, { a: 'someday' }, 'data.a'],
    ['a word for an ObjectId', { a: ObjectId }, { a: 'x' }, 'data.a'],
    ['a word for a UUID', { a: UUID }, { a: 'x' }, 'data.a'],
    ['a word for a Decimal128', { a: Decimal128 }, { a: 'x' }, 'data.a'],
    ['a word for a bigint', { a: BigInt }, { a: 'x' }, 'data.a'],
    ['a fraction for an Int32', { a: Int32 }, { a: 1.5 }, 'data.a'],
    ['an object for a Buffer', { a: Buffer }, { a: { b: 1 } }, 'data.a'],
    ['a string for a Map', { a: { type: Map, of: Number } }, { a: 'x' }, 'data.a'],
    ['a wrong value in a Map', { a: { type: Map, of: Number } }, { a: { k: 'x' } }, 'data.a.k'],
    ['a wrong element of an array', { a: [Number] }, { a: [1, 'x'] }, 'data.a.1'],
    ['a string for an object', { a: { b: String } }, { a: 'x' }, 'data.a'],
    ['an array for an object', { a: { b: String } }, { a: [] }, 'data.a'],
    ['a value outside of the enum', { a: { type: String, enum: ['x', 'y'] } }, { a: 'z' }, 'data.a'],
    ['an element outside of the enum', { a: [{ type: String, enum: ['x', 'y'] }] }, { a: ['x', 'z'] }, 'data.a.1'],
    ['a number below min', { a: { type: Number, min: 1 } }, { a: 0 }, 'data.a'],
    ['a number above max', { a: { type: Number, max: 1 } }, { a: 2 }, 'data.a'],
    ['a Date before min', { a: { type: Date, min: new Date(5) } }, { a: new Date(4) }, 'data.a'],
    ['a string that is too short', { a: { type: String, minlength: 2 } }, { a: 'x' }, 'data.a'],
    ['a string that is too long', { a: { type: String, maxlength: 2 } }, { a: 'xyz' }, 'data.a'],
    ['a string that does not match', { a: { type: String, match: /^x/ } }, { a: 'y' }, 'data.a'],
    [
      'what a validator refuses',
      { a: { type: Number, validate: (value: number) => value % 2 === 0 } },
      { a: 1 },
      'data.a',
    ],
    [
      'what an asynchronous validator refuses',
      { a: { type: Number, validate: async (value: number) => value % 2 === 0 } },
      { a: 1 },
      'data.a',
    ],
    [
      'what a validator throws at',
      {
        a: {
          type: Number,
          validate: () => {
            throw new Error('no');
          },
        },
      },
      { a: 1 },
      'data.a',
    ],
    [
      'what the validator of an array refuses',
      { a: { type: [Number], validate: (value: number[]) => value.length < 2 } },
      { a: [1, 2] },
      'data.a',
    ],
    [
      'what the validator of an element refuses',
      { l: [{ a: { type: Number, validate: (value: number) => value > 0 } }] },
      { l: [{ a: 0 }] },
      'data.l.0.a',
    ],
  ])('%s', async (_what, definition, value, path) => {
    const error = await rejection(cast(definition, value));
    expect(error).toBeInstanceOf(mongoose.Error.ValidationError);
    expect(error.message).toContain(`${path}: `);
    // For a value in a Map, mongoose 8.24 says "data.data.a.k".
    const paths = Object.keys((error as mongoose.Error.ValidationError).errors);
    expect(paths.some((each) => each === path || each === `data.${path}`)).toBe(true);
  });

  it('all of what is wrong, at once', async () => {
    const error = await rejection(
      cast({ a: Number, b: { type: String, required: true }, c: Date }, { a: 'x', c: 'y' }),
    );
    expect(Object.keys((error as mongoose.Error.ValidationError).errors)).toEqual(
      expect.arrayContaining(['data.a', 'data.b', 'data.c']),
    );
  });
});

describe('refuses an unknown field with INVALID_MESSAGE, naming the path', () => {
  const s = { type: String };
  it.each<[string, unknown, object, string]>([
    ['at the top', { a: s }, { a: 'x', b: 1 }, 'data.b'],
    ['where nothing is declared', {}, { b: 1 }, 'data.b'],
    ['whose value is null', { a: s }, { b: null }, 'data.b'],
    ['in an object', { o: { a: s } }, { o: { a: 'x', b: 1 } }, 'data.o.b'],
    ['in an optional object', { o: { type: { a: s } } }, { o: { b: 1 } }, 'data.o.b'],
    ['deep inside', { o: { p: { a: s } } }, { o: { p: { b: 1 } } }, 'data.o.p.b'],
    ['in an array', { l: [{ a: s }] }, { l: [{ a: 'x' }, { b: 1 }] }, 'data.l.1.b'],
    ['in an array in an array', { l: [{ m: [{ a: s }] }] }, { l: [{ m: [{ a: 'x' }, { b: 1 }] }] }, 'data.l.0.m.1.b'],
    ['in a Map', { m: { type: Map, of: { a: s } } }, { m: { k: { b: 1 } } }, 'data.m.k.b'],
    ['named _id', { a: s }, { _id: 1 }, 'data._id'],
    ['named _id, in an array', { l: [{ a: s }] }, { l: [{ _id: 1 }] }, 'data.l.0._id'],
    ['named id', { a: s }, { id: 1 }, 'data.id'],
    ['named __v', { a: s }, { __v: 1 }, 'data.__v'],
    ['named $where', { a: s }, { $where: 1 }, 'data.$where'],
    ['with a dot in its name', { o: { a: s } }, { o: { a: 'x' }, 'o.b': 1 }, 'data.o.b'],
  ])('%s', async (_where, definition, value, path) => {
    const error = await rejection(cast(definition, value));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', retryable: false });
    expect(error.message).toContain(`"${path}"`);
  });

  it('next to a value that is not valid', async () => {
    const error = await rejection(cast({ o: { a: Number } }, { o: { a: 'x', b: 1 } }));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.stringContaining('"data.o.b"') as string });
  });
});

describe('refuses undefined with INVALID_MESSAGE, naming the path', () => {
  it.each<[string, unknown, object, string]>([
    ['for an optional field', { a: String }, { a: undefined }, 'data.a'],
    ['for a field with a default', { a: { type: String, default: 'x' } }, { a: undefined }, 'data.a'],
    ['for a field that nobody knows', { a: String }, { b: undefined }, 'data.b'],
    ['in an object', { o: { a: String } }, { o: { a: undefined } }, 'data.o.a'],
    ['in an array', { a: [String] }, { a: ['x', undefined] }, 'data.a.1'],
    ['for a hole of an array', { a: [Number] }, { a: [1, , 3] }, 'data.a.1'],
    ['in an object in an array', { l: [{ a: String }] }, { l: [{ a: undefined }] }, 'data.l.0.a'],
    ['in a Map', { m: { type: Map, of: String } }, { m: new Map([['k', undefined]]) }, 'data.m.k'],
    ['in Mixed', { x: Mixed }, { x: { y: [{ z: undefined }] } }, 'data.x.y.0.z'],
  ])('%s', async (_where, definition, value, path) => {
    const error = await rejection(cast(definition, value));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(error.message).toContain(`${path} is undefined in`);
  });
});

describe('refuses what BSON would lose with INVALID_MESSAGE, naming the path', () => {
  const cycle: Record<string, unknown> = {};
  cycle['again'] = { cycle };
  it.each<[string, unknown, string]>([
    ['a function', { y: () => 1 }, 'data.x.y'],
    ['a symbol', { y: Symbol('s') }, 'data.x.y'],
    ['a Set', { y: new Set([1]) }, 'data.x.y'],
    ['an invalid Date', { y: new Date(Number.NaN) }, 'data.x.y'],
    ['a bigint of more than 64 bits', { y: 2n ** 63n }, 'data.x.y'],
    [
      'undefined in an object of a class',
      new (class Price {
        y = undefined;
      })(),
      'data.x.y',
    ],
    ['an object that contains itself', cycle, 'data.x.again'],
    ['a key with NUL', { 'a\0b': 1 }, 'data.x'],
  ])('%s', async (_what, x, path) => {
    const error = await rejection(cast({ x: Mixed }, { x: x as object }));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(error.message).toContain(path);
  });

  it.each<[string, unknown, unknown]>([
    ['an invalid Date for a Date', Date, new Date(Number.NaN)],
    ['a bigint of more than 64 bits for a bigint', BigInt, 2n ** 63n],
    ['a Promise that was not awaited', Mixed, Promise.resolve(1)],
  ])('%s', async (_what, type, a) => {
    expect(await rejection(cast({ a: type }, { a }))).toMatchObject({
      code: 'INVALID_MESSAGE',
      message: expect.stringContaining('data.a is ') as string,
    });
  });

  it('but takes the smallest and the largest bigint', async () => {
    const value = { a: -(2n ** 63n), x: 2n ** 63n - 1n };
    expect(await roundTrip({ a: BigInt, x: Mixed }, value)).toEqual(value);
  });

  it('but takes 100 levels of nesting', async () => {
    let x: unknown = 1;
    for (let level = 0; level < 98; level++) x = { x };
    expect(await roundTrip({ x: Mixed }, { x })).toEqual({ x });
  });
});

it('refuses a type that is not declared with UNKNOWN_TYPE, naming those that are', async () => {
  const models = new PutModels(mongoose, 'X', { a: { data: {} }, b: { data: {} } });
  const error = await rejection(models.cast('c', {}));
  expect(error).toMatchObject({ code: 'UNKNOWN_TYPE', retryable: false });
  expect(error.message).toMatch(/"c".*"a", "b"/);
});

it.each(['constructor', '__proto__', 'toString'])('does not take %s for a declared type', async (type) => {
  const models = new PutModels(mongoose, 'X', { a: { data: {} } });
  expect(await rejection(models.cast(type, {}))).toMatchObject({ code: 'UNKNOWN_TYPE' });
});

it('leaves the data that it was given as it was', async () => {
  const value = { n: '5', l: [{ s: ' x ' }], m: new Map([['k', '1']]) };
  const before = structuredClone(value);
  await cast({ n: Number, l: [{ s: { type: String, trim: true } }], m: { type: Map, of: Number } }, value);
  expect(value).toEqual(before);
});

it('does not let a later change of the data reach what is stored', async () => {
  const value = { d: new Date(5), l: [{ s: 'x' }], x: { y: [1] }, b: Buffer.from('x') };
  const result = await cast({ d: Date, l: [{ s: String }], x: Mixed, b: Buffer }, value);
  const before = mongoose.mongo.BSON.serialize(result);
  value.d.setTime(6);
  value.l[0]!.s = 'y';
  value.x.y.push(2);
  expect(mongoose.mongo.BSON.serialize(result)).toEqual(before);
});

it("takes no part of the service's own mongoose: global plugins, models of the same name", async () => {
  const base = new mongoose.Mongoose();
  base.plugin((schema) => schema.add({ tenantId: { type: String, required: true } }));
  base.model('X.pending', new base.Schema({ other: String }));
  base.model('X.pending.t', new base.Schema({ other: String }));
  const plugin = vi.fn();
  base.plugin(plugin);

  expect(await cast({ a: String, o: { b: String } }, { a: 'x', o: { b: 'y' } }, base)).toEqual({
    a: 'x',
    o: { b: 'y' },
  });
  expect(base.modelNames()).toEqual(['X.pending', 'X.pending.t']);
});

it('warns of nothing', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  await cast({ a: [String], o: { id: String }, type: { type: String } }, { a: [], o: { id: 'x' } });
  expect(warnings).not.toHaveBeenCalled();
  warnings.mockRestore();
});
