import { describe, expect, it } from 'vitest';

import {
  checkBoolean,
  checkKnown,
  checkNumbers,
  checkSignal,
  checkTypes,
  checkWholeNumbers,
  checkWord,
  defined,
  invalidOption,
} from '../../../src/internal/check-options.js';

const refusal = (named: string, code = 'INVALID_OPTION') =>
  expect.objectContaining({ code, message: expect.stringContaining(named) as string }) as Error;

it('says which option, what it must be and what it was', () => {
  expect(invalidOption('leaseMs', 'must be a whole number', 'got "x"')).toMatchObject({
    code: 'INVALID_OPTION',
    message: 'option leaseMs must be a whole number: got "x"',
  });
});

describe('known options', () => {
  it.each([[{}], [{ a: 1 }], [{ b: undefined, a: 1 }], [Object.create(null)]])('are taken: %o', (given) => {
    expect(() => checkKnown(given, ['a', 'b'])).not.toThrow();
  });

  it.each<[given: unknown, within: string | undefined, text: string]>([
    [null, undefined, 'the options must be an object: got null'],
    [undefined, undefined, 'the options must be an object: got undefined'],
    [[], undefined, 'the options must be an object: got an array'],
    ['a', undefined, 'the options must be an object: got "a"'],
    [() => undefined, undefined, 'the options must be an object: got a function'],
    [5, 'retry.', 'option retry must be an object: got 5'],
    [{ c: 1 }, undefined, 'option c is unknown: the options are a, b'],
    [{ c: undefined }, undefined, 'option c is unknown'],
    [{ c: 1 }, 'retry.', 'option retry.c is unknown: the options are a, b'],
  ])('others are refused: %o within %s', (given, within, text) => {
    expect(() => checkKnown(given, ['b', 'a'], within)).toThrow(refusal(text));
  });
});

it('leaves out what is undefined, and nothing else', () => {
  expect(defined({ a: undefined, b: null, c: 0, d: '', e: false })).toEqual({ b: null, c: 0, d: '', e: false });
});

describe('numbers', () => {
  const limits = { a: [1, 10] } as const;

  it.each([1, 5, 10, undefined])('whole ones in their limits are taken: %o', (a) => {
    expect(() => checkWholeNumbers({ a, other: 'x' }, limits)).not.toThrow();
    expect(() => checkNumbers({ a, other: 'x' }, limits)).not.toThrow();
  });

  it('that are left out are taken', () => {
    expect(() => checkWholeNumbers({}, limits)).not.toThrow();
    expect(() => checkNumbers({}, limits)).not.toThrow();
  });

  it.each([0, 11, Number.NaN, Infinity, -Infinity, '5', null, 5n, [5], new Date(5), true])(
    'others are refused: %o',
    (a) => {
      expect(() => checkWholeNumbers({ a }, limits)).toThrow(refusal('option a must be a whole number from 1 to 10'));
      expect(() => checkNumbers({ a }, limits, 'retry.')).toThrow(
        refusal('option retry.a must be a number from 1 to 10'),
      );
    },
  );

  it.each([1.5, 9.99])('with a fraction are no whole ones: %d', (a) => {
    expect(() => checkWholeNumbers({ a }, limits)).toThrow(refusal(`got ${a}`));
    expect(() => checkNumbers({ a }, limits)).not.toThrow();
  });
});

describe('words, booleans and signals', () => {
  it.each([
    () => checkWord('order', 'key', ['key', 'strict']),
    () => checkWord('order', undefined, ['key', 'strict']),
    () => checkBoolean('b', true),
    () => checkBoolean('b', false),
    () => checkBoolean('b', undefined),
    () => checkSignal(new AbortController().signal),
    () => checkSignal(AbortSignal.any([])),
    () => checkSignal(undefined),
  ])('are taken: %s', (check) => {
    expect(check).not.toThrow();
  });

  it.each<[check: () => void, text: string]>([
    [() => checkWord('order', 'Key', ['key', 'strict']), 'option order must be "key" or "strict": got "Key"'],
    [() => checkWord('order', null, ['key', 'strict']), 'got null'],
    [() => checkWord('order', ['key'], ['key', 'strict']), 'got an array'],
    [() => checkBoolean('b', 'true'), 'option b must be true or false: got "true"'],
    [() => checkBoolean('b', null), 'got null'],
    [() => checkBoolean('b', 1), 'got 1'],
    [
      () => checkSignal(new AbortController()),
      'option signal must be an AbortSignal: got an object of AbortController',
    ],
    [() => checkSignal(null), 'got null'],
    [() => checkSignal({ aborted: false }), 'got an object of Object'],
  ])('are refused: %s', (check, text) => {
    expect(check).toThrow(refusal(text));
  });
});

describe('message types', () => {
  const known = ['created', 'shipped'];

  it.each<[types: unknown, expected: string[] | undefined]>([
    [undefined, undefined],
    [['created'], ['created']],
    [
      ['shipped', 'created', 'shipped'],
      ['shipped', 'created'],
    ],
  ])('are a set: %o', (types, expected) => {
    expect(checkTypes(types, known)).toEqual(expected && new Set(expected));
  });

  it.each<[types: unknown, code: string, text: string]>([
    [[], 'INVALID_OPTION', 'an empty array'],
    [null, 'INVALID_OPTION', 'got null'],
    ['created', 'INVALID_OPTION', 'got "created"'],
    [new Set(['created']), 'INVALID_OPTION', 'an object of Set'],
    [['created', 'lost'], 'UNKNOWN_TYPE', '"lost"'],
    [['Created'], 'UNKNOWN_TYPE', '"created", "shipped"'],
    [[5], 'UNKNOWN_TYPE', '5'],
    [[undefined], 'UNKNOWN_TYPE', 'undefined'],
    [['toString'], 'UNKNOWN_TYPE', '"toString"'],
  ])('are refused: %o', (types, code, text) => {
    expect(() => checkTypes(types, known)).toThrow(refusal(text, code));
  });
});
