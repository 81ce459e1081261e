import fc from 'fast-check';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';

import { OutboxError, outboxErrorCodes, shown } from '../../../src/errors.js';
import { checkCursor } from '../../../src/internal/check-cursor.js';
import {
  checkBoolean,
  checkKnown,
  checkNumbers,
  checkSignal,
  checkTypes,
  checkWholeNumbers,
  checkWord,
} from '../../../src/internal/check-options.js';
import { decideResume } from '../../../src/internal/resume-decision.js';
import { PermanentError, RetryAfter, Unavailable } from '../../../src/verdict.js';

/** Whatever a service may pass or throw. */
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withTypedArray: true,
  }),
  fc.constantFrom(
    Symbol('s'),
    () => undefined,
    Object.create({ constructor: undefined }),
    { constructor: 5 },
    new Error('e'),
    new AbortController().signal,
  ),
);

/** What even looking at fails. Made anew each time, since fast-check looks at constants. */
const hostile = fc
  .constant({ get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower })
  .map((traps) => [new Proxy({}, traps)] as const);

function thrower(): never {
  throw new Error('a trap');
}

/** What the check refuses with; undefined where it takes the value. */
function refusalOf(check: () => void): OutboxError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(OutboxError);
    return error as OutboxError;
  }
}

describe('any input', () => {
  const known = ['a', 'b'];
  const limits = { a: [1, 10] } as const;
  it.each<[check: string, (value: unknown) => void, isRight: (value: unknown) => boolean]>([
    [
      'whole number',
      (a) => checkWholeNumbers({ a }, limits),
      (a) => Number.isInteger(a) && (a as number) >= 1 && (a as number) <= 10,
    ],
    ['number', (a) => checkNumbers({ a }, limits), (a) => typeof a === 'number' && a >= 1 && a <= 10],
    ['word', (a) => checkWord('a', a, known), (a) => a === 'a' || a === 'b'],
    ['boolean', (a) => checkBoolean('a', a), (a) => typeof a === 'boolean'],
    ['signal', checkSignal, (a) => a instanceof AbortSignal],
    [
      'message types',
      (a) => checkTypes(a, known),
      (a) => Array.isArray(a) && a.length > 0 && a.every((each) => each === 'a' || each === 'b'),
    ],
  ])('is taken as a %s where it is one or undefined, and else refused with a text', (_what, check, isRight) => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.double({ min: 0, max: 11 }),
          fc.integer({ min: 0, max: 11 }),
          fc.array(fc.constantFrom('a', 'b', 'c')),
        ),
        (value) => {
          const refusal = refusalOf(() => check(value));
          expect(refusal === undefined).toBe(value === undefined || isRight(value));
          if (refusal !== undefined) expect(['INVALID_OPTION', 'UNKNOWN_TYPE']).toContain(refusal.code);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is taken as options where it is an object that has none but the known ones', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.anything())), (value) => {
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        const refusal = refusalOf(() => checkKnown(value, known));
        expect(refusal === undefined).toBe(isObject && Object.keys(value).every((key) => known.includes(key)));
      }),
      { numRuns: 300 },
    );
  });

  it('is taken as a cursor where it is a valid Date, a position or one of the two words', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.double(),
          fc.integer(),
          fc.date({ noInvalidDate: false }),
          fc.constantFrom('beginning', 'end'),
        ),
        (value) => {
          const refusal = refusalOf(() => checkCursor(value));
          const isDate = value instanceof Date && !Number.isNaN(value.getTime());
          const isPosition = Number.isSafeInteger(value) && (value as number) >= 0;
          expect(refusal === undefined).toBe(isDate || isPosition || value === 'beginning' || value === 'end');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('can be shown in a text, which says nothing of what an object holds', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(shown(value).length).toBeLessThan(500);
      }),
    );
    expect(shown({ secret: 'x' })).not.toContain('secret');
  });
});

describe('whatever is thrown', () => {
  it('a reader goes on or ends, and never fails for another reason; what the driver calls transient it tries again', () => {
    const hopeless = new Set([13, 18, 59, 72, 73, 166]);
    fc.assert(
      fc.property(
        anything,
        fc.oneof(fc.constantFrom(...hopeless), fc.integer({ min: 1, max: 20_000 })),
        fc.boolean(),
        (value, code, labelled) => {
          expect(['again', 'fail']).toContain(decideResume(value));
          const error = new MongoServerError({ code, message: 'm' });
          if (labelled) error.addErrorLabel('RetryableWriteError');
          expect(decideResume(error)).toBe(hopeless.has(code) && !labelled ? 'fail' : 'again');
          expect(decideResume(new MongoNetworkError('m', { cause: error }))).toBe('again');
        },
      ),
      { numRuns: 500 },
    );
    for (const code of outboxErrorCodes) {
      const error = new OutboxError(code, 'm');
      expect(decideResume(error)).toBe(error.retryable ? 'again' : 'fail');
    }
  });

  it('is no verdict of ours unless it is one', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything.map((value) => [value] as const),
          hostile,
        ),
        ([value]) => {
          for (const verdict of [PermanentError, RetryAfter, Unavailable]) expect(value instanceof verdict).toBe(false);
        },
      ),
    );
  });

  it('RetryAfter takes numbers from 0 to a week, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.double(), fc.integer({ min: -10, max: 700_000_000 })), (value) => {
        const isRight = typeof value === 'number' && value >= 0 && value <= 604_800_000;
        const make = () => new RetryAfter(value as number);
        if (isRight) expect(make().delayMs).toBe(value);
        else expect(make).toThrow(RangeError);
      }),
      { numRuns: 500 },
    );
  });
});
