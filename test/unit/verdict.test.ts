import { afterEach, describe, expect, it, vi } from 'vitest';

import * as errors from '../../src/errors.js';
import * as verdicts from '../../src/verdict.js';

afterEach(() => vi.resetModules());

const { PermanentError, RetryAfter, Unavailable } = verdicts;
const make = {
  PermanentError: (from = verdicts) => new from.PermanentError(),
  RetryAfter: (from = verdicts) => new from.RetryAfter(5),
  Unavailable: (from = verdicts) => new from.Unavailable(),
};
const names = ['PermanentError', 'RetryAfter', 'Unavailable'] as const;

describe.each(names)('%s', (name) => {
  it('is an Error of its name, with a text', () => {
    const error = make[name]();
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    expect(error.message).not.toBe('');
    expect(error.stack).toContain(error.message);
  });

  it('is recognised across copies of the library, and not taken for another verdict', async () => {
    vi.resetModules();
    const other = await import('../../src/verdict.js');
    expect(other[name]).not.toBe(verdicts[name]);
    for (const each of names) {
      expect(make[name](other) instanceof verdicts[each], each).toBe(each === name);
      expect(make[name]() instanceof other[each], each).toBe(each === name);
    }
    expect(make[name]()).not.toBeInstanceOf(errors.OutboxError);
  });

  it.each([null, undefined, name, {}, new Error(name), Object.assign(new Error(), { name })])(
    'is not recognised in %o',
    (value) => {
      expect(value instanceof verdicts[name]).toBe(false);
    },
  );

  it('shows the brand nowhere', () => {
    const shown = JSON.parse(JSON.stringify(make[name]())) as object;
    expect(shown).toEqual(name === 'RetryAfter' ? { name, delayMs: 5 } : { name });
  });

  it('is recognised when it is extended', () => {
    class Own extends (verdicts[name] as new (first?: never) => Error) {}
    const own = new Own(...((name === 'RetryAfter' ? [7] : []) as never[] as [never]));
    expect(own).toBeInstanceOf(verdicts[name]);
  });
});

it('take a text and a cause', () => {
  const cause = new Error('why');
  for (const error of [
    new PermanentError('no', { cause }),
    new RetryAfter(1, 'no', { cause }),
    new Unavailable('no', { cause }),
  ])
    expect(error).toMatchObject({ message: 'no', cause });
});

describe('RetryAfter', () => {
  it.each([0, 0.5, 5, 604_800_000])('takes %d ms', (delayMs) => {
    expect(new RetryAfter(delayMs)).toMatchObject({ delayMs, message: `retry after ${delayMs} ms` });
  });

  it.each([-1, 604_800_001, Number.NaN, Infinity, '5', null, undefined, new Date(0), Symbol('s'), Object.create(null)])(
    'refuses %o',
    (delayMs) => {
      expect(() => new RetryAfter(delayMs as number)).toThrow(RangeError);
    },
  );
});
