import fc from 'fast-check';
import { expect, it } from 'vitest';

import { checkPage, type PageEntry } from '../../../src/tail/check-page.js';
import { logSteps, simulateLog } from '../../support/capped-log.js';

const replyBytes = 16 * 1024 * 1024;
const mostStrays = 4;
/** More than two stale processes leave as strays, as a page asks for. */
const limit = 2 * mostStrays + 3;

/** From small ones to the largest there can be. */
const size = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 4_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: replyBytes - 64 * 1024 }) },
);

interface Stored extends PageEntry {
  readonly stray: boolean;
  readonly size: number;
}

/** What the server gives by index after a position: it ends the reply before an entry that has no room in it. */
function readPage(stored: readonly Stored[], position: number): Stored[] {
  const page: Stored[] = [];
  let bytes = 0;
  for (const entry of [...stored].sort((a, b) => a._id - b._id)) {
    if (entry._id <= position) continue;
    bytes += entry.size;
    if (page.length === limit || (page.length > 0 && bytes > replyBytes)) break;
    page.push(entry);
  }
  return page;
}

/** Only where a reader begins, or strays were inserted after what it read last, it must look twice at a large page. */
it('in any history a page that is judged to be the log is the log, and one that is the log is not refused', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 20, max: 40 }),
      fc.array(logSteps(mostStrays), { minLength: 1, maxLength: 40, size: 'max' }),
      fc.array(size, { minLength: 1, maxLength: 50, size: 'max' }),
      fc.oneof(fc.nat(1_000), fc.integer({ min: -6, max: -1 })),
      fc.boolean(),
      (capacity, steps, sizes, place, knowsBefore) => {
        const { stored: log, records } = simulateLog(capacity, steps);
        const sizeAt = (position: number) => (position === 0 ? 0 : sizes[position % sizes.length]!);
        const bytesAt = [0n];
        for (let position = 1; position < records.length; position += 1)
          bytesAt.push(bytesAt.at(-1)! + BigInt(sizeAt(position)));
        const stored = log.map(({ position, stray, record }) => ({
          _id: position,
          bytes: bytesAt[position]!,
          $recordId: BigInt(record),
          size: sizeAt(position),
          stray,
        }));
        // A reader stands at any place that it can have reached, often right before the oldest entry, and has read the entry there or begins after it.
        const oldest = stored.find(({ stray }) => !stray)!._id;
        const position = Math.max(-1, place < 0 ? oldest + place : (place % (bytesAt.length + 1)) - 1);
        const known = knowsBefore && position >= 0 && position < records.length;
        const page = readPage(stored, position);
        const verdict = checkPage(
          position,
          known ? { bytes: bytesAt[position]!, $recordId: BigInt(records[position]!) } : undefined,
          page,
          limit,
        );

        const isLog = position + 1 >= oldest;
        if (verdict === 'empty') expect(position).toBeGreaterThanOrEqual(bytesAt.length - 1);
        if (verdict === 'lost') expect(isLog).toBe(false);
        if (typeof verdict === 'string') return;
        expect(page[0]!._id).toBe(position + 1);
        // Whoever is not sure compares with the oldest position.
        if (verdict.verdict === 'ok') expect(page.filter(({ stray }) => stray)).toEqual([]);
        if (isLog && verdict.atEnd) expect(page.at(-1)!._id).toBe(bytesAt.length - 1);
      },
    ),
    { numRuns: 2_000 },
  );
});
