import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { checkPage, pageSize, type PageEntry } from '../../../src/tail/check-page.js';

const KiB = 1024n;
const MiB = 1024n * KiB;

/** Entries with these positions, inserted in this order, of `size` bytes each. */
function entries(positions: readonly number[], { size = 100n, firstRecord = 1 } = {}): PageEntry[] {
  return positions.map((_id, index) => ({ _id, bytes: BigInt(_id) * size, $recordId: BigInt(firstRecord + index) }));
}

/** The entry that was read last, of this running count; not the one that was inserted right before the page. */
const before = (bytes: bigint) => ({ bytes, $recordId: -7n });

const run = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

describe('a page is the log', () => {
  it.each([
    { page: 'one entry', position: 0, positions: [1] },
    { page: 'the genesis entry', position: -1, positions: [0] },
    { page: 'a run from anywhere', position: 99, positions: run(100, 300) },
  ])('$page', ({ position, positions }) => {
    expect(checkPage(position, before(BigInt(position) * 100n), entries(positions))).toMatchObject({ verdict: 'ok' });
  });

  it('also where record ids have gaps', () => {
    const page = entries([1, 2, 3]).map((entry) => ({ ...entry, $recordId: entry.$recordId * 7n }));
    expect(checkPage(0, before(0n), page)).toMatchObject({ verdict: 'ok' });
  });

  it('is empty when nothing is there', () => {
    expect(checkPage(5, before(0n), [])).toBe('empty');
  });
});

describe('a page is refused as a whole', () => {
  it.each([
    { fault: 'its first entry is not the next one: that was overwritten', position: 5, positions: [7, 8] },
    { fault: 'its first entry is the position itself', position: 5, positions: [5, 6] },
    { fault: 'it jumps in the middle', position: 5, positions: [6, 7, 9] },
    { fault: 'it jumps at the last entry', position: 5, positions: [6, 7, 8, 10] },
    { fault: 'it begins with a stray entry, the log begins later', position: 2, positions: [3, 10, 11] },
  ])('$fault', ({ position, positions }) => {
    expect(checkPage(position, before(0n), entries(positions))).toBe('lost');
  });

  it('a stray entry stands right before the oldest: its record id is the higher one', () => {
    const page = [{ _id: 9, bytes: 900n, $recordId: 500n }, ...entries([10, 11, 12])];
    expect(checkPage(8, before(0n), page)).toBe('lost');
  });

  it('two entries have one record id', () => {
    const page = entries([1, 2]).map((entry) => ({ ...entry, $recordId: 4n }));
    expect(checkPage(0, before(0n), page)).toBe('lost');
  });

  it('wherever one entry is missing or out of turn, in any page', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000 }),
        fc.integer({ min: 2, max: 60 }),
        fc.nat(),
        fc.constantFrom('missing' as const, 'late' as const),
        (position, count, where, fault) => {
          const page = entries(run(position + 1, count));
          const index = where % (count - 1);
          if (fault === 'missing') page.splice(index, 1);
          else page[index] = { ...page[index]!, $recordId: 10_000n };
          expect(checkPage(position, before(0n), page)).toBe('lost');
        },
      ),
    );
  });
});

describe('a page reaches the end of the log', () => {
  it.each([
    { page: 'it is short and small', count: 3, size: 100n, bytes: 0n, atEnd: true },
    { page: 'it is one entry of 32 KiB', count: 1, size: 32n * KiB, bytes: 0n, atEnd: true },
    // A next entry of nearly 16 MiB would have had no room in the reply.
    { page: 'not surely: one entry of more than 32 KiB', count: 1, size: 32n * KiB + 1n, bytes: 0n, atEnd: false },
    { page: 'not surely: one entry of 9 MiB', count: 1, size: 9n * MiB, bytes: 0n, atEnd: false },
    { page: 'not surely: its size is not known', count: 1, size: 100n, bytes: undefined, atEnd: false },
    { page: 'not: it is full', count: 10, size: 100n, bytes: 0n, atEnd: false },
  ])('$page', ({ count, size, bytes, atEnd }) => {
    expect(
      checkPage(0, bytes === undefined ? undefined : before(bytes), entries(run(1, count), { size }), 10),
    ).toMatchObject({ atEnd });
  });

  it('its size counts from where the reader stands, not from the beginning', () => {
    expect(checkPage(99, before(99n * MiB), entries([100], { size: MiB }))).toMatchObject({ atEnd: false });
    const small = { _id: 100, bytes: 99n * MiB + 1n, $recordId: 1n };
    expect(checkPage(99, before(99n * MiB), [small])).toMatchObject({ atEnd: true });
  });
});

describe('a page that the server may have cut among stray entries', () => {
  it.each([
    { page: '8 MiB in few entries', count: 8, size: MiB, verdict: 'unsure' },
    { page: 'more entries than two sequencers leave', count: 2_001, size: 5n * KiB, verdict: 'ok' },
    { page: 'exactly as many', count: 2_000, size: 5n * KiB, verdict: 'unsure' },
    { page: 'a full page', count: pageSize, size: 5n * KiB, verdict: 'ok' },
    { page: 'less, before an entry that takes nearly 16 MiB', count: 100, size: 5n * KiB, verdict: 'unsure' },
    { page: 'so little that any entry would have had room', count: 8, size: 4n * KiB, verdict: 'ok' },
  ])('$page: $verdict', ({ count, size, verdict }) => {
    expect(checkPage(0, before(0n), entries(run(1, count), { size }))).toMatchObject({ verdict });
  });

  it('one entry whose size is not known', () => {
    expect(checkPage(0, undefined, entries([1]))).toMatchObject({ verdict: 'unsure' });
  });

  it('is none where it was inserted right after what was read last, however large it is', () => {
    const last = { bytes: 0n, $recordId: 41n };
    const page = (firstRecord: number) => entries(run(1, 8), { size: MiB, firstRecord });
    expect(checkPage(0, last, page(42))).toMatchObject({ verdict: 'ok', atEnd: false });
    expect(checkPage(0, last, page(43))).toMatchObject({ verdict: 'unsure' });
    expect(checkPage(0, last, page(41))).toMatchObject({ verdict: 'unsure' });
  });

  it('cannot be a full page of strays alone', () => {
    expect(pageSize).toBeGreaterThan(2 * 1_000);
  });
});
