import fc from 'fast-check';
import { expect, it } from 'vitest';

import { findMark, type LogMark } from '../../../src/store/log-marks.js';
import type { Store } from '../../../src/store/store.js';

/** A log of entries of these sizes, of which the first `gone` are overwritten. */
function logOf(sizes: readonly number[], gone = 0) {
  const marks: LogMark[] = [{ position: 0, bytes: 0n }];
  for (const size of sizes) marks.push({ position: marks.length, bytes: marks.at(-1)!.bytes + BigInt(size) });
  const reads: number[] = [];
  const findOne = async ({ _id }: { _id: number }) => {
    reads.push(_id);
    return _id <= gone ? null : { _id, bytes: Number(marks[_id]!.bytes) };
  };
  const store = { collection: () => ({ findOne }) } as unknown as Store;
  return { marks, reads, store, low: marks[0]!, high: marks.at(-1)! };
}

it('the mark found is within what was asked, or the first above it, in about twice the reads of a binary search', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(3_000),
      async (sizes, share, width) => {
        const { marks, reads, store, low, high } = logOf(sizes);
        const least = BigInt(Math.ceil(Number(high.bytes) * share)) || 1n;
        const most = least + BigInt(width);
        const mark = await findMark(store, low, high, least, most);
        expect(mark).toEqual(marks[mark.position]);
        const first = marks.find(({ bytes }) => bytes >= least)!;
        if (first.bytes > most) expect(mark).toEqual(first);
        else expect(mark.bytes >= least && (mark.bytes <= most || mark === high)).toBe(true);
        expect(reads.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(sizes.length + 1)) + 2);
      },
    ),
  );
});

it('entries that are alike take one or two reads, however many they are', async () => {
  const { reads, store, low, high } = logOf(Array.from({ length: 200_000 }, (_, index) => 300 + (index % 7)));
  const mark = await findMark(store, low, high, 20_000_000n, 24_000_000n);
  expect(Number(mark.bytes)).toBeGreaterThan(20_000_000);
  expect(Number(mark.bytes)).toBeLessThan(24_000_000);
  expect(reads.length).toBeLessThanOrEqual(2);
});

it('what is overwritten meanwhile is passed over', async () => {
  const { store, low, high } = logOf(Array<number>(100).fill(10), 40);
  expect(await findMark(store, low, high, 200n, 205n)).toEqual({ position: 41, bytes: 410n });
});
