import { inspect } from 'node:util';

import mongoose, { Schema } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { cast, rejection } from '../../support/payloads.js';

const { ObjectId, Decimal128, UUID, Mixed, Int32 } = Schema.Types;

/** Stands in every payload here, and must stand in no error. */
const secret = 'SECRET_MARKER';
const secretDate = new Date('2047-11-08T12:34:56.789Z');

/** Everything of an error that could end up in a log. */
function texts(error: unknown): string {
  const parts: unknown[] = [error, String(error)];
  for (let each = error; each instanceof Error; each = each.cause) parts.push(each.message, each.stack);
  return `${parts.map((part) => inspect(part, { depth: 20, showHidden: true, getters: true })).join('\n')}\n${JSON.stringify(error)}`;
}

const refusing = { validator: () => false, message: (props: { value: unknown }) => `got ${String(props.value)}` };

it.each<[string, unknown, object]>([
  ['a number', { a: Number }, { a: secret }],
  ['an Int32', { a: Int32 }, { a: secret }],
  ['a boolean', { a: Boolean }, { a: secret }],
  ['a Date', { a: Date }, { a: secret }],
  ['an ObjectId', { a: ObjectId }, { a: secret }],
  ['a Decimal128', { a: Decimal128 }, { a: secret }],
  ['a UUID', { a: UUID }, { a: secret }],
  ['a bigint', { a: BigInt }, { a: secret }],
  ['a Buffer', { a: Buffer }, { a: { b: secret } }],
  ['a string', { a: String }, { a: { b: secret } }],
  ['an object', { a: { b: String } }, { a: secret }],
  ['an array', { a: [Number] }, { a: secret }],
  ['an array of objects', { a: [{ b: String }] }, { a: [secret] }],
  ['a Map', { a: { type: Map, of: Number } }, { a: secret }],
  ['an element', { a: [Number] }, { a: [1, secret] }],
  ['a field of an element', { a: [{ b: Number }] }, { a: [{ b: secret }] }],
  ['a field of an object', { a: { b: { c: Number } } }, { a: { b: { c: secret } } }],
  ['a value of a Map', { a: { type: Map, of: Number } }, { a: { k: secret } }],
  ['an enum', { a: { type: String, enum: ['x'] } }, { a: secret }],
  [
    'an enum with a text that quotes',
    { a: { type: String, enum: { values: ['x'], message: '{VALUE} is wrong' } } },
    { a: secret },
  ],
  ['match', { a: { type: String, match: [/^x/, '{VALUE} is wrong'] } }, { a: secret }],
  ['minlength', { a: { type: String, minlength: 100 } }, { a: secret }],
  ['maxlength', { a: { type: String, maxlength: [1, '{VALUE} is wrong'] } }, { a: secret }],
  ['min', { a: { type: Number, min: 5_000 } }, { a: 4711.5 }],
  ['max of a Date', { a: { type: Date, max: new Date(0) } }, { a: secretDate }],
  ['a validator with a text that quotes', { a: { type: String, validate: refusing } }, { a: secret }],
  ['a validator of an array', { a: { type: [String], validate: refusing } }, { a: [secret] }],
  ['a validator of an object', { a: { type: { b: String }, validate: refusing } }, { a: { b: secret } }],
  [
    'a validator that throws',
    {
      a: {
        type: String,
        validate: (value: string) => {
          throw new Error(value);
        },
      },
    },
    { a: secret },
  ],
  [
    'a validator that rejects',
    {
      a: {
        type: String,
        validate: async (value: string) => {
          throw Object.assign(new Error('no'), { value });
        },
      },
    },
    { a: secret },
  ],
  [
    'a setter that throws',
    {
      a: {
        type: String,
        set: (value: string) => {
          throw new Error(value);
        },
      },
    },
    { a: secret },
  ],
  [
    'a cast of its own that throws',
    { a: { type: Number, cast: [null, (value: unknown) => `${String(value)} is no number`] } },
    { a: secret },
  ],
  ['another field that is required', { a: String, b: { type: String, required: true } }, { a: secret }],
  [
    'required with a text of its own',
    { a: { b: { type: String, required: [true, 'b is needed, got {VALUE}'] }, c: String } },
    { a: { c: secret, b: null } },
  ],
  ['an unknown field', { a: String }, { a: 'x', b: secret }],
  ['an unknown field of an object', { a: { b: String } }, { a: { b: secret, c: secret } }],
  ['an unknown field of an element', { a: [{ b: String }] }, { a: [{ b: secret, c: secret }] }],
  ['undefined', { a: String, b: String }, { a: secret, b: undefined }],
  ['something that BSON loses', { a: Mixed }, { a: { b: secret, c: () => 1 } }],
])('keeps the payload out of the error about %s', async (_what, definition, value) => {
  const error = await rejection(cast(definition, value));
  const said = texts(error);
  expect(said).not.toContain(secret);
  expect(said).not.toContain('4711.5');
  expect(said).not.toContain('2047');
});

it('keeps the payload out of the error of a hook of a Schema', async () => {
  const schema = new Schema({ a: String });
  schema.pre('validate', function () {
    throw new Error(String(this.get('a')));
  });
  expect(texts(await rejection(cast(schema, { a: secret })))).not.toContain(secret);
});

describe('what an error still says', () => {
  it('the type of the message, each path and what it fails', async () => {
    const error = await rejection(
      cast(
        {
          a: Number,
          b: { type: String, required: true },
          c: { type: String, enum: ['x', 'y'] },
          d: { type: Number, min: 3 },
          e: { type: Date, min: new Date(5) },
          f: { type: String, match: /^x/ },
        },
        { a: secret, c: secret, d: 1, e: new Date(4), f: secret },
      ),
    );
    expect(error.message).toMatch(/^the data of message type "t" is not valid: /);
    expect(error.message).toContain('data.a: cannot be cast to Number');
    expect(error.message).toContain('data.b: fails required');
    expect(error.message).toContain('data.c: fails enum (enumValues "x", "y")');
    expect(error.message).toContain('data.d: fails min (min 3)');
    expect(error.message).toContain('data.e: fails min (min 1970-01-01T00:00:00.005Z)');
    expect(error.message).toContain('data.f: fails regexp (regexp /^x/)');
  });

  it("mongoose's kinds and paths, for those who map them to answers of their own", async () => {
    const error = await rejection(cast({ a: Number, b: { type: String, required: true } }, { a: secret }));
    expect(error).toBeInstanceOf(mongoose.Error.ValidationError);
    expect(error).toMatchObject({
      name: 'ValidationError',
      errors: {
        'data.a': { name: 'CastError', kind: 'Number' },
        'data.b': { name: 'ValidatorError', kind: 'required' },
      },
    });
  });
});
