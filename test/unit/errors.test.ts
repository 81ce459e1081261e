import { afterEach, describe, expect, it, vi } from 'vitest';

import { hasLabel, OutboxError, outboxErrorCodes, serverCode, shown, type OutboxErrorCode } from '../../src/errors.js';

afterEach(() => vi.resetModules());

/** Where the same call can succeed later without a change by the caller. */
const retryable: readonly OutboxErrorCode[] = ['NOT_CONNECTED', 'HANDLER_TIMEOUT', 'PROCESS_DIED'];

describe('OutboxError', () => {
  it.each(outboxErrorCodes)('has the code %s, and says whether to try again', (code) => {
    const cause = new Error('why');
    const error = new OutboxError(code, 'what happened', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(OutboxError);
    expect(error).toMatchObject({ name: 'OutboxError', code, message: 'what happened', cause });
    expect(error.retryable).toBe(retryable.includes(code));
    expect(error.stack).toContain('OutboxError: what happened');
  });

  it('knows each code once', () => {
    expect(new Set(outboxErrorCodes).size).toBe(outboxErrorCodes.length);
    expect(outboxErrorCodes).toEqual(expect.arrayContaining([...retryable]));
  });

  it('has no cause, and no oldest position, where none was given', () => {
    const error = new OutboxError('CLOSED', 'closed');
    expect(error).not.toHaveProperty('cause');
    expect(error).not.toHaveProperty('oldest');
    expect(new OutboxError('POSITION_LOST', 'lost', { oldest: 5 }).oldest).toBe(5);
  });

  it('is recognised across copies of the library', async () => {
    vi.resetModules();
    const other = await import('../../src/errors.js');
    expect(other.OutboxError).not.toBe(OutboxError);
    expect(new other.OutboxError('CLOSED', 'closed')).toBeInstanceOf(OutboxError);
    expect(new OutboxError('CLOSED', 'closed')).toBeInstanceOf(other.OutboxError);
  });

  it.each([
    null,
    undefined,
    'CLOSED',
    {},
    new Error('CLOSED'),
    Object.assign(new Error(), { code: 'CLOSED', name: 'OutboxError' }),
  ])('is not recognised in %o', (value) => {
    expect(value instanceof OutboxError).toBe(false);
  });

  it('shows the brand nowhere', () => {
    expect(Object.keys(new OutboxError('CLOSED', 'closed'))).toEqual(
      expect.not.arrayContaining([expect.stringContaining('brand')]),
    );
    expect(JSON.parse(JSON.stringify(new OutboxError('CLOSED', 'closed')))).toEqual({
      name: 'OutboxError',
      code: 'CLOSED',
      retryable: false,
    });
  });
});

it.each<[unknown, string]>([
  ['x', '"x"'],
  ['a"b', '"a\\"b"'],
  ['x'.repeat(61), `"${'x'.repeat(60)}…"`],
  [5, '5'],
  [5n, '5'],
  [true, 'true'],
  [null, 'null'],
  [undefined, 'undefined'],
  [['secret'], 'an array'],
  [{ password: 'secret' }, 'an object of Object'],
  [new Date(0), 'an object of Date'],
  [Object.create(null), 'an object of no class'],
  [() => 'secret', 'a function'],
  [Symbol('secret'), 'a symbol'],
])('shows the kind of a value, and no more of it than a short text: %o', (value, text) => {
  expect(shown(value)).toBe(text);
});

it("reads the server's code, and labels, where there are any", () => {
  expect(serverCode(Object.assign(new Error(), { code: 11000 }))).toBe(11000);
  for (const error of [undefined, null, 'x', new Error(), Object.assign(new Error(), { code: 'ENOENT' })])
    expect(serverCode(error)).toBeUndefined();
  expect(hasLabel({ hasErrorLabel: (label: string) => label === 'a' }, 'a')).toBe(true);
  for (const error of [undefined, null, {}, { hasErrorLabel: () => false }]) expect(hasLabel(error, 'a')).toBe(false);
});
