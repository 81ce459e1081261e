import { Binary, Decimal128, Long, ObjectId } from 'mongodb';
import { expect, it } from 'vitest';

import { messageHeaders } from '../../../src/publishers/message-headers.js';
import { toJson } from '../../../src/publishers/to-json.js';

it.each<[string, unknown, string]>([
  ['plain values', { a: 1, b: 'ä', c: null, d: [true] }, '{"a":1,"b":"ä","c":null,"d":[true]}'],
  ['a Date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['a Map, also inside one', { m: new Map([['x', new Map([['y', 1n]])]]) }, '{"m":{"x":{"y":"1"}}}'],
  ['a bigint', { n: 2n ** 63n }, '{"n":"9223372036854775808"}'],
  ['a Decimal128', { price: Decimal128.fromString('19.90') }, '{"price":"19.90"}'],
  ['a Long', { n: Long.fromString('9007199254740993') }, '{"n":"9007199254740993"}'],
  ['an ObjectId', { id: new ObjectId('507f1f77bcf86cd799439011') }, '{"id":"507f1f77bcf86cd799439011"}'],
  ['a Buffer', { bytes: Buffer.from('hi') }, '{"bytes":"aGk="}'],
  ['bytes of BSON', { bytes: new Binary(Buffer.from('hi')) }, '{"bytes":"aGk="}'],
])('%s', (_name, data, json) => {
  expect(toJson(data)).toBe(json);
});

const message = {
  type: 'order_created',
  data: {},
  id: 'x',
  position: 7,
  created: new Date(1_000),
  headers: { traceparent: '00-1', id: 'mine' },
};

it('headers are the message, and its own headers beside', () => {
  expect(messageHeaders(message, { more: 'yes', less: undefined })).toEqual({
    traceparent: '00-1',
    more: 'yes',
    id: 'x',
    type: 'order_created',
    position: '7',
    created: '1970-01-01T00:00:01.000Z',
  });
});
