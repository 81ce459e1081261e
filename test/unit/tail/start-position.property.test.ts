import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { Cursor } from '../../../src/message.js';
import { findPositionAt } from '../../../src/store/log-bounds.js';
import type { Store } from '../../../src/store/store.js';
import { startPosition } from '../../../src/tail/start-position.js';

/** When every entry that was ever appended was created; the genesis entry is the first. Many share a moment. */
const created = fc
  .array(fc.nat(3), { minLength: 1, maxLength: 60, size: 'max' })
  .map((steps) => steps.reduce<number[]>((times, step) => [...times, (times.at(-1) ?? 100) + step], []));

/** A log of which what is below `oldest()` has been overwritten, as of each read. */
function storeOf(times: readonly number[], oldest: () => number): Store {
  const findOne = async ({ _id }: { _id: number }) =>
    _id < oldest() || times[_id] === undefined ? null : { _id, created: new Date(times[_id]) };
  return { collection: () => ({ findOne }) } as unknown as Store;
}

const cursor: fc.Arbitrary<Cursor | { entry: number; offset: number }> = fc.oneof(
  fc.constantFrom('beginning' as const, 'end' as const),
  fc.nat(70),
  fc.integer({ min: 90, max: 260 }).map((ms) => new Date(ms)),
  // The moment of an entry, or the one before or after it.
  fc.record({ entry: fc.nat(), offset: fc.integer({ min: -1, max: 1 }) }),
);

it('a reader begins with the first message that its cursor asks for, or is told that messages before it are gone', async () => {
  await fc.assert(
    fc.asyncProperty(created, fc.nat(), cursor, async (times, gone, drawn) => {
      const newest = times.length - 1;
      const oldest = gone % times.length;
      const given =
        typeof drawn === 'object' && 'entry' in drawn
          ? new Date(times[(oldest + (drawn.entry % 3)) % times.length]! + drawn.offset)
          : drawn;
      const point = (position: number) => ({ position, created: new Date(times[position]!) });
      const start = startPosition(given, { oldest: point(oldest), newest: point(newest) });
      const first =
        start === 'lost'
          ? 'lost'
          : start === 'findDate'
            ? await findPositionAt(
                storeOf(times, () => oldest),
                given as Date,
                oldest,
                newest,
              )
            : start.position + 1;

      // What it asks for, of all that was ever appended: position 0 is no message.
      const wanted = times.flatMap((time, position) =>
        position > 0 &&
        (given === 'beginning'
          ? position >= oldest
          : given === 'end'
            ? false
            : typeof given === 'number'
              ? position > given
              : time >= given.getTime())
          ? [position]
          : [],
      );
      if (first === 'lost') {
        const beyond = typeof given === 'number' && given > newest;
        // A Date may have missed messages of its own moment that are overwritten; nobody knows.
        const unknown = given instanceof Date && oldest > 1 && given.getTime() <= times[oldest]!;
        expect(beyond || unknown || (wanted[0] !== undefined && wanted[0] < oldest)).toBe(true);
        return;
      }
      // The genesis entry may be read, and is no message.
      expect(Math.max(1, first)).toBe(wanted[0] ?? newest + 1);
      expect(first).toBeGreaterThanOrEqual(oldest);
    }),
    { numRuns: 1_000 },
  );
});

it('a search by Date that the log overtakes ends at a place that is there, with nothing wanted before it', async () => {
  await fc.assert(
    fc.asyncProperty(created, fc.integer({ min: 90, max: 260 }), fc.nat(5), async (times, ms, speed) => {
      let reads = 0;
      const oldest = () => Math.min(times.length - 1, speed * reads++);
      const found = await findPositionAt(storeOf(times, oldest), new Date(ms), 0, times.length - 1);
      const first = times.findIndex((time) => time >= ms);
      expect(found).toBeGreaterThanOrEqual(first < 0 ? times.length : first);
      // Nothing that is left and wanted is passed over, but for what was overwritten while it was looked at.
      expect(found).toBeLessThanOrEqual(Math.max(first < 0 ? times.length : first, oldest()));
      expect(reads).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(times.length + 1)));
    }),
    { numRuns: 500 },
  );
});
