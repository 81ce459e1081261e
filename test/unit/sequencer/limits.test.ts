import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { appendLimits, largestAppend, largestBatch, resolveWindow } from '../../../src/sequencer/limits.js';
import { largestMessage } from '../../../src/schema/pending-message.js';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('the limits of one append', () => {
  it.each([
    { log: 'the smallest log', sizeBytes: MiB, maxMessages: undefined, batch: 1_000, count: 1_000, bytes: 256 * KiB },
    { log: 'a large log', sizeBytes: 1024 * MiB, maxMessages: undefined, batch: 1_000, count: 1_000, bytes: 8 * MiB },
    { log: 'above 2 GiB', sizeBytes: 2 ** 40, maxMessages: undefined, batch: 1_000, count: 1_000, bytes: 8 * MiB },
    { log: 'a cap by count', sizeBytes: 64 * MiB, maxMessages: 100, batch: 1_000, count: 25, bytes: 8 * MiB },
    {
      log: 'a cap by count not divisible',
      sizeBytes: MiB,
      maxMessages: 103,
      batch: 1_000,
      count: 25,
      bytes: 256 * KiB,
    },
    { log: 'a count set by hand to 3', sizeBytes: MiB, maxMessages: 3, batch: 1_000, count: 1, bytes: 256 * KiB },
    { log: 'a small batch size', sizeBytes: 64 * MiB, maxMessages: 10_000, batch: 7, count: 7, bytes: 8 * MiB },
  ])('$log', ({ sizeBytes, maxMessages, batch, count, bytes }) => {
    expect(appendLimits({ sizeBytes, maxMessages }, batch)).toMatchObject({ count, bytes });
  });

  it('leave what two sequencers may have under way in the log: at most a quarter each, in bytes and in count', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: MiB, max: 2 ** 50 }),
        fc.option(fc.integer({ min: 100, max: 2 ** 31 - 2 }), { nil: undefined }),
        fc.integer({ min: 1, max: 1_000 }),
        (sizeBytes, maxMessages, batch) => {
          const limits = appendLimits({ sizeBytes, maxMessages }, batch);
          expect(4 * limits.bytes).toBeLessThanOrEqual(sizeBytes);
          expect(4 * largestAppend(limits)).toBeLessThanOrEqual(sizeBytes);
          expect(4 * limits.count).toBeLessThanOrEqual(maxMessages ?? Infinity);
          expect(limits.count).toBeLessThanOrEqual(batch);
          expect(2 * limits.count).toBeLessThanOrEqual(resolveWindow);
        },
      ),
    );
  });

  it('let through whatever put lets through', () => {
    fc.assert(
      fc.property(fc.integer({ min: MiB, max: 2 ** 50 }), (sizeBytes) => {
        const limits = appendLimits({ sizeBytes, maxMessages: undefined }, largestBatch);
        expect(largestMessage(sizeBytes)).toBeLessThanOrEqual(largestAppend(limits));
      }),
    );
  });
});
