import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PermanentError } from '../../../../src/index.js';
import { awsJson, fifoId, isAwsText } from '../../../../src/publishers/aws/aws-text.js';
import { bytesOfAttributes, messageAttributes } from '../../../../src/publishers/aws/message-attributes.js';
import { delivered } from '../../../support/delivered.js';

const values = (headers: Record<string, string>, changes: Parameters<typeof delivered>[0] = {}) =>
  Object.fromEntries(
    Object.entries(messageAttributes(delivered({ headers, ...changes }))).map(([name, { StringValue }]) => [
      name,
      StringValue,
    ]),
  );
const own = { id: 'id-1', type: 'order_created', position: '1', created: '2026-01-02T03:04:05.678Z' };
const numbered = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`h${n}`, `v${n}`]));

describe('attributes', () => {
  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['no headers', {}, {}],
    ['headers', { tenant: 'ä😀', 'x-request.id': '1' }, { tenant: 'ä😀', 'x-request.id': '1' }],
    ['six headers', numbered(6), numbered(6)],
    ['an empty value', { tenant: 'x', empty: '' }, { tenant: 'x', headers: '{"empty":""}' }],
    ['an illegal name', { 'a b': '1' }, { headers: '{"a b":"1"}' }],
    [
      'names with dots at the wrong place',
      { '.a': '1', 'a..b': '2', 'b.': '3' },
      { headers: '{".a":"1","a..b":"2","b.":"3"}' },
    ],
    [
      'names that AWS keeps',
      { 'AWS.x': '1', 'amazon.y': '2', awsome: '3' },
      { awsome: '3', headers: '{"AWS.x":"1","amazon.y":"2"}' },
    ],
    ['a control character', { a: '\u0001' }, { headers: '{"a":"\\u0001"}' }],
    ['a header named headers', { headers: 'x' }, { headers: '{"headers":"x"}' }],
    ['a header of the name of a field', { id: 'x', type: 'y' }, {}],
    ['seven headers', numbered(7), { ...numbered(5), headers: '{"h5":"v5","h6":"v6"}' }],
  ])('of %s', (_, headers, more) => {
    expect(values(headers)).toEqual({ ...own, ...more });
  });

  it('are at most ten, and hold every header, whatever there is', () => {
    const headers = fc.dictionary(
      fc.oneof(fc.stringMatching(/^[a-z.]{1,5}$/), fc.string({ minLength: 1 })),
      fc.string({ unit: 'grapheme' }),
      { maxKeys: 15 },
    );
    fc.assert(
      fc.property(headers, fc.boolean(), (given, hasKey) => {
        const found = values(given, hasKey ? { key: 'k' } : {});
        expect(Object.keys(found).length).toBeLessThanOrEqual(10);
        for (const value of Object.values(found)) {
          expect(value).not.toBe('');
          expect(isAwsText(value)).toBe(true);
        }
        const { id, type, position, created, key, headers: others = '{}', ...single } = found;
        expect({ id, type, position, created }).toEqual(own);
        expect(key).toBe(hasKey ? 'k' : undefined);
        const expected = Object.entries(given).filter(
          ([name]) => !['id', 'type', 'position', 'created', 'key'].includes(name),
        );
        expect(new Map(Object.entries({ ...single, ...(JSON.parse(others) as object) }))).toEqual(new Map(expected));
      }),
    );
  });

  it.each([{ id: 'a\u0000' }, { key: 'a\ufffe' }, { type: '\u001f' }])('are refused for good: %j', (changes) => {
    expect(() => messageAttributes(delivered(changes))).toThrow(PermanentError);
  });

  it('count names, types and values', () => {
    expect(bytesOfAttributes({ ä: { DataType: 'String', StringValue: '€' } })).toBe(2 + 6 + 3);
  });
});

describe('texts', () => {
  it('as JSON hold nothing that AWS refuses, and mean the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('', '\ufffe', '\uffff', '\u0000', '\ud800', '😀'), (value, more) => {
        const json = awsJson({ value, more });
        expect(isAwsText(json)).toBe(true);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ value, more })));
      }),
    );
  });

  it.each([
    ['order-7', 'order-7'],
    ['!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
    ['a'.repeat(128), 'a'.repeat(128)],
    ['a'.repeat(129), expect.stringMatching(/^sha256-[0-9a-f]{64}$/) as string],
    ['order 7', expect.stringMatching(/^sha256-/) as string],
    ['ä', expect.stringMatching(/^sha256-/) as string],
  ])('as group or deduplication id: %s', (text, id) => {
    expect(fifoId(text)).toEqual(id);
    expect(fifoId(text)).toBe(fifoId(text));
  });
});
