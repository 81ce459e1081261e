import fc from 'fast-check';
import mongoose, { type Mongoose } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { PutModels } from '../../../src/schema/put-models.js';
import { Reviver } from '../../../src/schema/revive.js';
import { sizeInBson } from '../../../src/schema/size-in-bson.js';
import { plainBson } from '../../../src/store/store.js';
import { otherMongoose } from '../../support/payloads.js';

/** No NUL, no name that makes an object a DBRef, and none that mongoose gives a meaning to inside Mixed. */
const fieldName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((name) => !name.includes('\0') && name !== '__proto__' && !name.startsWith('$'));

/** Any value that BSON has a type for, as the driver under this mongoose makes it. */
function valueFor({ mongo }: Mongoose): fc.Arbitrary<unknown> {
  const { Binary, BSONRegExp, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp, UUID } =
    mongo;
  const bytes = fc.uint8Array({ maxLength: 20 });
  return fc.letrec((again) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'grapheme' }),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom(null, -0),
      fc.date({ noInvalidDate: true }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      bytes.map((each) => Buffer.from(each)),
      fc.integer().map((n) => new Int32(n)),
      fc.double().map((n) => new Double(n)),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => Long.fromBigInt(n)),
      fc.constantFrom('1.50', '-0', '9.999E+100', 'NaN').map((text) => Decimal128.fromString(text)),
      bytes.map((each) => new Binary(each, 0)),
      fc.tuple(bytes, fc.constantFrom(2, 5, 6, 128)).map(([each, subtype]) => new Binary(each, subtype)),
      fc.uint8Array({ minLength: 16, maxLength: 16 }).map((each) => new UUID(each)),
      fc.uint8Array({ minLength: 12, maxLength: 12 }).map((each) => new ObjectId(each)),
      fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new Timestamp({ t, i })),
      fc.constant(0).map(() => new MinKey()),
      fc.constant(0).map(() => new MaxKey()),
      fc.constantFrom('a', '^[a-z]+$').map((pattern) => new RegExp(pattern, 'im')),
      fc
        .tuple(fc.constantFrom('a', '(?i)a'), fc.constantFrom('i', 'ix', 'iu'))
        .map(([pattern, options]) => new BSONRegExp(pattern, options)),
      fc.constant('return 1').map((code) => new Code(code)),
      fc.array(again('value'), { maxLength: 4 }),
      fc.dictionary(fieldName, again('value'), { maxKeys: 4, noNullPrototype: true }),
      fc.dictionary(fieldName, again('value'), { maxKeys: 3 }).map((fields) => new Map(Object.entries(fields))),
    ),
  })).value;
}

describe.each([
  ['the mongoose of the tests', mongoose],
  ['mongoose 8', await otherMongoose()],
])('any value: %s', (_which, base) => {
  const { BSON } = base.mongo;
  const value = valueFor(base);
  const models = new PutModels(base, 'X', { t: { data: { x: base.Schema.Types.Mixed } } });
  const reviver = new Reviver(base, { t: { data: { x: base.Schema.Types.Mixed } } });
  const bytesOf = (document: object) =>
    Buffer.from(BSON.serialize(document, { ignoreUndefined: false })).toString('hex');

  it('is stored as it was put, and what is delivered means the same: put again, it is stored alike', async () => {
    await fc.assert(
      fc.asyncProperty(value, async (x) => {
        const put = { x };
        const before = bytesOf(put);
        const stored = await models.cast('t', put);
        expect(bytesOf(stored)).toBe(before);
        // What is put is neither changed nor kept.
        expect(bytesOf(put)).toBe(before);
        const delivered = reviver.data('t', BSON.deserialize(BSON.serialize(stored), plainBson)) as object;
        const again = await models.cast('t', delivered);
        expect(meaning(BSON.deserialize(BSON.serialize(again), plainBson))).toEqual(
          meaning(BSON.deserialize(Buffer.from(before, 'hex'), plainBson)),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('counts for the size of a message what it takes', () => {
    fc.assert(
      fc.property(value, (x) => {
        const document = { x };
        const size = BSON.serialize(document).length;
        // bson 6 counts an Int32 as an object: too much, and never too little.
        expect(sizeInBson(document, base.mongo)).toBeGreaterThanOrEqual(size);
        if (!hasInt32(x)) expect(sizeInBson(document, base.mongo)).toBe(size);
      }),
      { numRuns: 300 },
    );
  });
});

/** Numbers of any type that are the same number are the same: JavaScript has one type for them. */
function meaning(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(meaning);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const { _bsontype } = value as { _bsontype?: string };
  if (_bsontype === undefined)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, meaning(each)]));
  return value;
}

function hasInt32(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ((value as { _bsontype?: string })._bsontype === 'Int32') return true;
  const inner: unknown[] = value instanceof Map ? [...value.values()] : Object.values(value);
  return inner.some(hasInt32);
}
