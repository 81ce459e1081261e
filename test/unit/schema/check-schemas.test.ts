import mongoose from 'mongoose';
import { expect, it } from 'vitest';

import { ServiceOutbox } from '../../../src/index.js';

function make(schemas: unknown): ServiceOutbox<never> {
  return new ServiceOutbox<never>('X', schemas as never, { connection: mongoose.createConnection() });
}

const circular: Record<string, unknown> = {};
circular['self'] = circular;

it.each<[string, unknown, string]>([
  ['no schemas at all', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a string', 'order_created', 'order_created'],
  ['an array', [{ data: {} }], 'an array'],
  ['a class instance', new (class Schemas {})(), 'Schemas'],
  ['no type', {}, 'empty'],
  ['a type without an object', { t: null }, '"t"'],
  ['a type with an array', { t: [] }, '"t"'],
  ['a type without data', { t: {} }, '"t"'],
  ['a type whose data is undefined', { t: { data: undefined } }, '"t"'],
  ['a type whose data is null', { t: { data: null } }, 't.data'],
  ['a type whose data is a constructor', { t: { data: String } }, 't.data'],
  ['a type whose data is an array', { t: { data: [String] } }, 't.data'],
  ['the reserved key version', { t: { data: { a: String }, version: 1 } }, '"version"'],
  ['the reserved key upcast', { t: { data: { a: String }, upcast: () => undefined } }, '"upcast"'],
  ['another key beside data', { t: { data: { a: String }, key: 'a' } }, '"key"'],
  ['a type without a name', { '': { data: {} } }, '""'],
  ['a type with NUL in its name', { 'a\0b': { data: {} } }, 'NUL'],
  ['a type with a name that is too long', { ['t'.repeat(257)]: { data: {} } }, '256'],
  ['a field that is {}', { t: { data: { a: {} } } }, 't.data.a'],
  ['a field that is null', { t: { data: { a: null } } }, 't.data.a'],
  ['a field that is undefined', { t: { data: { a: undefined } } }, 't.data.a'],
  ['a field that is a number', { t: { data: { a: 5 } } }, 't.data.a'],
  ['a field whose type is undefined', { t: { data: { a: { type: undefined } } } }, 't.data.a'],
  ['a field whose type is null', { t: { data: { a: { type: null } } } }, 't.data.a'],
  ['a field with options and no type', { t: { data: { a: { required: true } } } }, 't.data.a'],
  ['a nested field that is {}', { t: { data: { a: { b: {} } } } }, 't.data.a.b'],
  ['a field inside an array that is {}', { t: { data: { a: [{ b: {} }] } } }, 't.data.a[].b'],
  ['a field inside a Map that is {}', { t: { data: { a: { type: Map, of: { b: {} } } } } }, 't.data.a.of.b'],
  ['an array of undeclared elements', { t: { data: { a: [] } } }, 't.data.a'],
  ['an array of undeclared elements, in a declaration', { t: { data: { a: { type: [] } } } }, 't.data.a'],
  ['an array of {}', { t: { data: { a: [{}] } } }, 't.data.a'],
  ['an object type of no fields', { t: { data: { a: { type: {} } } } }, 't.data.a'],
  ['a type name that mongoose does not know', { t: { data: { a: 'Money' } } }, 't.data'],
  ['a constructor that mongoose does not know', { t: { data: { a: class Money {} } } }, 't.data'],
  ['a schema that contains itself', { t: { data: circular } }, 't.data'],
])('refuses %s', (_what, schemas, named) => {
  expect(() => make(schemas)).toThrow(
    expect.objectContaining({ code: 'INVALID_SCHEMA', message: expect.stringContaining(named) as string }),
  );
});

it.each(['toBSON', 'toObject', 'validate', 'modifiedPaths', 'constructor', '__proto__', '_doc', '$set', 'a.b', ''])(
  'refuses a field named %j, which mongoose could not store',
  (name) => {
    const fields = JSON.parse(JSON.stringify({ [name]: 'String' })) as object;
    for (const data of [fields, { nested: fields }, { list: [fields] }]) {
      expect(() => make({ t: { data } })).toThrow(expect.objectContaining({ code: 'INVALID_SCHEMA' }));
    }
  },
);

it.each(['toObject', 'validate', '$set'])('refuses a field named %j in a Schema', (name) => {
  const schema = new mongoose.Schema({ ok: String, nested: { [name]: String } }, { suppressReservedKeysWarning: true });
  expect(() => make({ t: { data: schema } })).toThrow(
    expect.objectContaining({ code: 'INVALID_SCHEMA', message: expect.stringContaining(`"${name}"`) as string }),
  );
});

it('takes a message type without any field', () => {
  expect(() => make({ ping: { data: {} } })).not.toThrow();
});

it.each(['order.created', 'Order Created', '$x', 'constructor', 'ü'])('takes the message type %j', (type) => {
  expect(() => make({ [type]: { data: { a: String } } })).not.toThrow();
});

it('frees the name again when the schemas are refused', () => {
  const connection = mongoose.createConnection();
  const refused = { t: { data: { a: {} } } };
  expect(() => new ServiceOutbox<never>('X', refused as never, { connection })).toThrow('declares no type');
  expect(() => new ServiceOutbox<never>('X', { t: { data: {} } } as never, { connection })).not.toThrow();
});
