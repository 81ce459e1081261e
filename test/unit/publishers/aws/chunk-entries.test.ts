import fc from 'fast-check';
import { expect, it } from 'vitest';

import { chunkEntries, type Sized } from '../../../../src/publishers/aws/chunk-entries.js';

const entry = (destination: string, bytes: number) => ({ destination, bytes });
const chunk = (entries: Sized[], mostEntries: number, mostBytes: number) =>
  chunkEntries(entries, (each) => each, mostEntries, mostBytes);

it('fills requests up to both limits, each for one destination', () => {
  const [a, b, c, d] = [entry('x', 4), entry('y', 1), entry('x', 6), entry('x', 1)] as const;
  expect(chunk([a, b, c, d], 10, 10)).toEqual([[a, c], [b], [d]]);
  expect(chunk([a, c, d], 1, 100)).toEqual([[a], [c], [d]]);
  expect(chunk([], 10, 10)).toEqual([]);
});

it('keeps every entry once, and each destination in order', () => {
  const entries = fc.array(fc.record({ destination: fc.constantFrom('x', 'y'), bytes: fc.nat(10) }), {
    size: 'max',
    maxLength: 50,
  });
  fc.assert(
    fc.property(
      entries,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 10, max: 30 }),
      (given, mostEntries, mostBytes) => {
        const chunks = chunk(given, mostEntries, mostBytes);
        for (const each of chunks) {
          expect(each.length).toBeLessThanOrEqual(mostEntries);
          expect(each.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(mostBytes);
          expect(new Set(each.map(({ destination }) => destination)).size).toBe(1);
        }
        for (const destination of ['x', 'y']) {
          const of = (all: readonly Sized[]) => all.filter((each) => each.destination === destination);
          expect(of(chunks.flat())).toEqual(of(given));
        }
      },
    ),
  );
});
