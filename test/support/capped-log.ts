import fc from 'fast-check';

/** What happens to a log. A stale process inserts again, at the end, positions that have been overwritten. */
export type LogStep = { append: number } | { stray: { back: number; count: number; evicts: boolean } };

interface LogEntry {
  readonly position: number;
  readonly stray: boolean;
  /** The server's record id: one more with each insertion. */
  readonly record: number;
}

/** @param mostStrays in one step */
export function logSteps(mostStrays: number): fc.Arbitrary<LogStep> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 12 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        stray: fc.record({
          back: fc.oneof(fc.integer({ min: 1, max: mostStrays }), fc.integer({ min: 1, max: 30 })),
          count: fc.integer({ min: 1, max: mostStrays }),
          // Small ones may have room beside all others.
          evicts: fc.boolean(),
        }),
      }),
    },
  );
}

export interface SimulatedLog {
  /** What is there, in the order of insertion. */
  readonly stored: readonly LogEntry[];
  /** The record id with which each position was first inserted, also where that is overwritten. */
  readonly records: readonly number[];
}

/** A capped collection: what is inserted goes to the end, and the oldest insertions go from the front. */
export function simulateLog(capacity: number, steps: readonly LogStep[]): SimulatedLog {
  let log: LogEntry[] = [{ position: 0, stray: false, record: 0 }];
  let newest = 0;
  let record = 0;
  let room = capacity;
  const records = [0];
  const oldest = () => log.find(({ stray }) => !stray)!.position;
  const insert = (position: number, stray: boolean) => {
    log.push({ position, stray, record: (record += 1) });
    log = log.slice(-room);
  };
  for (const taken of steps) {
    if ('append' in taken) {
      for (let count = 0; count < taken.append; count += 1) {
        insert((newest += 1), false);
        records.push(record);
      }
      continue;
    }
    const first = Math.max(0, oldest() - taken.stray.back);
    for (let position = first; position < first + taken.stray.count; position += 1) {
      // The unique _id refuses a position that is still there, and one that was never overwritten is no stray.
      if (position >= oldest() || log.some((entry) => entry.position === position)) break;
      // One real entry is always left: a batch is at most a quarter of the log.
      if (log.slice(1).every(({ stray }) => stray)) break;
      if (!taken.stray.evicts && room < 2 * capacity) room += 1;
      insert(position, true);
    }
  }
  return { stored: log, records };
}
