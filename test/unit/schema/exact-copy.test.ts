import fc from 'fast-check';
import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import { compileExactCopy, notExact } from '../../../src/schema/exact-copy.js';
import { payloadSchema } from '../../../src/schema/payload-schema.js';
import { PutModels } from '../../../src/schema/put-models.js';

const { ObjectId, Decimal128 } = mongoose.Types;

const fields = {
  nr: { type: Number, required: true, min: 0, max: 1_000 },
  name: { type: String, minlength: 2, match: /^[a-z]*$/ },
  kind: { type: String, enum: ['small', 'large'] },
  paid: Boolean,
  at: Date,
  owner: mongoose.Schema.Types.ObjectId,
  price: mongoose.Schema.Types.Decimal128,
  tags: [{ type: String, enum: ['a', 'b'] }],
  grid: [[Number]],
  address: { type: { street: { type: String, required: true }, zip: String } },
  lines: { type: [{ sku: { type: String, required: true }, quantity: Number }], required: true },
  source: { type: String, default: 'shop' },
};

/** A validator of the service's own makes every message of the type go through mongoose. */
const sameThroughMongoose = { ...fields, nr: { ...fields.nr, validate: () => true } };

const copyOf = (definition: Record<string, unknown>) =>
  compileExactCopy(definition, payloadSchema(mongoose, definition, 'order.data'));
const copy = copyOf(fields) as (data: unknown) => unknown;

const anything = fc.oneof(fc.string({ maxLength: 4 }), fc.double(), fc.boolean(), fc.constant(null), fc.constant({}));

/** Valid values, and now and then something else, so that many objects are valid as a whole and many nearly so. */
const mostly = <T>(valid: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 40, arbitrary: valid }, { weight: 1, arbitrary: anything });
const word = mostly(fc.constantFrom('ab', 'small', 'large'));
const line = fc.record({ sku: word, quantity: mostly(fc.integer()) }, { requiredKeys: ['sku'] });
const data = fc.record(
  {
    nr: mostly(fc.integer({ min: 0, max: 1_000 })),
    name: word,
    kind: mostly(fc.constantFrom('small', 'large')),
    paid: mostly(fc.boolean()),
    at: mostly(fc.date({ noInvalidDate: true })),
    owner: mostly(fc.constantFrom(new ObjectId(), new ObjectId())),
    price: mostly(fc.constant(Decimal128.fromString('1.50'))),
    tags: mostly(fc.array(mostly(fc.constantFrom('a', 'b')), { maxLength: 3 })),
    grid: mostly(fc.array(fc.array(mostly(fc.integer()), { maxLength: 2 }), { maxLength: 2 })),
    address: mostly(fc.record({ street: word, zip: word }, { requiredKeys: ['street'] })),
    lines: mostly(fc.array(line, { maxLength: 3 })),
    source: word,
  },
  { requiredKeys: ['nr', 'lines', 'source'] },
);

describe('the exact copy', () => {
  it('accepts only what mongoose stores alike', { timeout: 60_000 }, async () => {
    const models = new PutModels(mongoose, 'outbox', { order: { data: sameThroughMongoose } });
    const counts = { accepted: 0, left: 0 };
    const property = fc.asyncProperty(data, async (value) => {
      const copied = copy(value);
      counts[copied === notExact ? 'left' : 'accepted'] += 1;
      if (copied === notExact) return;
      const stored = await models.cast('order', value);
      const { serialize } = mongoose.mongo.BSON;
      expect(Buffer.from(serialize(copied as object))).toEqual(Buffer.from(serialize(stored)));
    });
    await fc.assert(property, { numRuns: 1_000 });
    expect(counts.accepted).toBeGreaterThan(400);
    expect(counts.left).toBeGreaterThan(100);
  });

  it('is a copy: what the caller changes afterwards is not stored', () => {
    const put = { nr: 1, lines: [{ sku: 'x' }], at: new Date(0), source: 'web', tags: ['a'] };
    const copied = copy(put);
    put.lines[0]!.sku = 'changed';
    put.at.setTime(1);
    put.tags.push('b');
    expect(copied).toEqual({ nr: 1, lines: [{ sku: 'x' }], at: new Date(0), source: 'web', tags: ['a'] });
  });

  it.each([
    ['a default that was not put', { nr: 1, lines: [] }],
    ['a missing required field', { lines: [], source: 'web' }],
    ['a missing required array', { nr: 1, source: 'web' }],
    ['a number as text', { nr: '1', lines: [], source: 'web' }],
    ['NaN', { nr: NaN, lines: [], source: 'web' }],
    ['a number below min', { nr: -1, lines: [], source: 'web' }],
    ['text outside the enum', { nr: 1, lines: [], source: 'web', kind: 'huge' }],
    ['text that does not match', { nr: 1, lines: [], source: 'web', name: 'A1' }],
    ['an element outside the enum', { nr: 1, lines: [], source: 'web', tags: ['c'] }],
    ['an unknown field', { nr: 1, lines: [], source: 'web', colour: 'red' }],
    ['an unknown field in an element', { nr: 1, lines: [{ sku: 'x', colour: 'red' }], source: 'web' }],
    ['an invalid Date', { nr: 1, lines: [], source: 'web', at: new Date(NaN) }],
    ['undefined', { nr: 1, lines: [], source: 'web', name: undefined }],
    ['null', { nr: 1, lines: [], source: 'web', name: null }],
    ['empty text where it is required', { nr: 1, lines: [{ sku: '' }], source: 'web' }],
    ['an object of a class', new (class Order {})()],
    ['no object', 5],
  ])('leaves %s to mongoose', (_what, value) => {
    expect(copy(value)).toBe(notExact);
  });

  it.each([
    ['a validator of the service', { nr: { type: Number, validate: () => true } }],
    ['a setter', { name: { type: String, trim: true } }],
    ['a conditional required', { nr: { type: Number, required: () => false } }],
    ['a Schema instance inside', { address: { type: new mongoose.Schema({ street: String }) } }],
    ['a Map', { prices: { type: Map, of: Number } }],
    ['Mixed', { anything: mongoose.Schema.Types.Mixed }],
  ])('does not speak for a schema with %s', (_what, definition) => {
    expect(copyOf(definition)).toBeUndefined();
  });
});
