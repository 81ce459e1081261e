import fc from 'fast-check';
import { Long } from 'mongodb';
import { expect, it } from 'vitest';

import { toBigInt } from '../../../src/store/int64.js';

it('a 64-bit integer comes back as it was, whatever its sign and size', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(toBigInt(Long.fromBigInt(value))).toBe(value);
    }),
  );
  for (const value of [0n, 1n, -1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, -(2n ** 32n), 2n ** 63n - 1n, -(2n ** 63n)])
    expect(toBigInt(Long.fromBigInt(value))).toBe(value);
});

it('a number that the server stored as a smaller type is taken as well', () => {
  expect(toBigInt(5)).toBe(5n);
});
