import fc from 'fast-check';
import { BSON, ObjectId, Timestamp } from 'mongodb';
import { expect, it } from 'vitest';

import { appendLimits, largestAppend } from '../../../src/sequencer/limits.js';
import { planBatch, type Base, type Candidate } from '../../../src/sequencer/plan-batch.js';
import { exactBson } from '../../../src/store/store.js';

interface Pending extends Candidate {
  /** Whether a log of this size can hold it. */
  readonly sound: boolean;
}

/** A smallest log: what can't be appended to it is still quick to make. */
const sizeBytes = 1024 * 1024;

function pending(fields: object, sound: boolean, malformed?: string): Pending {
  const bytes = BSON.serialize({ _id: new ObjectId(), ts: new Timestamp({ t: 1, i: 1 }), ...fields });
  const candidate = { size: bytes.length, fields: BSON.deserialize(bytes, exactBson), sound };
  return malformed === undefined ? candidate : { ...candidate, malformed };
}

const note = (length: number) => ({ data: { note: 'x'.repeat(length) } });
const anyPending: fc.Arbitrary<Pending> = fc.oneof(
  { weight: 8, arbitrary: fc.nat(2_000).map((length) => pending({ type: 'a', ...note(length) }, true)) },
  { weight: 2, arbitrary: fc.nat(100_000).map((length) => pending({ type: 'a', ...note(length) }, true)) },
  { weight: 1, arbitrary: fc.constant(0).map(() => pending({ type: 'a', ...note(sizeBytes / 4) }, false)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom({ type: 'a' }, { data: {} }, { type: 'a', data: {}, key: 1 })
      .map((fields) => pending(fields, false)),
  },
  { weight: 1, arbitrary: fc.constant(0).map(() => pending({ type: 'a', data: {} }, false, 'cut off')) },
);

it('any pending messages are all moved or refused, once, in their order, in batches that keep to every limit', () => {
  fc.assert(
    fc.property(
      fc.array(anyPending, { maxLength: 60, size: 'max' }),
      fc.option(fc.integer({ min: 4, max: 400 }), { nil: undefined }),
      fc.integer({ min: 1, max: 40 }),
      fc.record({ position: fc.nat(2 ** 40), created: fc.nat(1_000), bytes: fc.bigInt({ min: 0n, max: 2n ** 62n }) }),
      fc.array(fc.nat(2_000), { minLength: 1, maxLength: 5 }),
      (all, maxMessages, batchSize, start, clock) => {
        const limits = appendLimits({ sizeBytes, maxMessages }, batchSize);
        let base: Base = start;
        let rest = all;
        const moved: unknown[] = [];
        const refused: Pending[] = [];
        for (let round = 0; rest.length > 0; round += 1) {
          const plan = planBatch(rest, base, clock[round % clock.length]!, 1, limits);
          // Every round gets on.
          expect(plan.entries.length + plan.refused.length).toBeGreaterThan(0);
          const sizes = plan.entries.map((entry) => BSON.serialize(entry, { ignoreUndefined: false }).length);
          const total = sizes.reduce((sum, size) => sum + size, 0);
          expect(plan.entries.length).toBeLessThanOrEqual(limits.count);
          expect(total).toBeLessThanOrEqual(sizes.length > 1 ? limits.bytes : largestAppend(limits) + 7);
          expect(plan.entries.map(({ _id }) => _id)).toEqual(sizes.map((_, index) => base.position + 1 + index));
          expect(plan.entries.map(({ last }) => last)).toEqual(
            sizes.map((_, index) => (index === sizes.length - 1 ? true : undefined)),
          );
          expect(plan.end.position).toBe(base.position + sizes.length);
          expect(plan.end.bytes).toBe(base.bytes + BigInt(total));
          expect(plan.end.created).toBeGreaterThanOrEqual(base.created);
          moved.push(...plan.tokens);
          refused.push(...plan.refused.map(({ candidate }) => candidate));
          // What was looked at is a prefix: nothing is passed over, nothing is taken out of turn.
          rest = rest.slice(plan.entries.length + plan.refused.length);
          base = plan.end;
        }
        expect(moved).toEqual(all.filter(({ sound }) => sound).map(({ fields }) => fields['_id']));
        expect(refused).toEqual(all.filter(({ sound }) => !sound));
      },
    ),
    { numRuns: 100 },
  );
});
