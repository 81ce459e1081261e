import fc from 'fast-check';
import { expect, it } from 'vitest';

import { Solo } from '../../../src/consumer/solo.js';
import { logTask, recordTask, type Task } from '../../../src/consumer/task.js';

const entry = (position: number) => ({ _id: position, type: 't' }) as never;
const task = (position: number, fromLog: boolean): Task =>
  fromLog
    ? logTask(entry(position), 'key', 10)
    : recordTask({ entry: entry(position), position, attempts: 1 } as never, 'key');

type Step =
  | { step: 'ask' | 'settle' | 'runAgain'; which: number }
  | { step: 'beginWrite' }
  | { step: 'endWrite'; works: boolean };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ step: fc.constant('ask' as const), which: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constantFrom('settle' as const, 'runAgain' as const), which: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.constant({ step: 'beginWrite' as const }) },
  { weight: 2, arbitrary: fc.record({ step: fc.constant('endWrite' as const), works: fc.boolean() }) },
);

it('whatever is asked for and written in between, a task runs only once it is stored that it runs alone', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const solo = new Solo({ begun: 100, solo: null });
      const tasks = [task(1, true), task(2, true), task(2, false), task(3, false)];
      /** As the writer of the checkpoint does it: one write at a time, of the mark that there was when it began. */
      let stored: Solo['mark'] = null;
      let writing: { mark: Solo['mark'] } | undefined;
      let running: Task | undefined;
      for (const each of steps) {
        switch (each.step) {
          case 'ask': {
            // Nothing is asked for while something runs, or the checkpoint is being written.
            if (running !== undefined || writing !== undefined) break;
            const asked = tasks[each.which]!;
            const given = solo.ask(asked);
            if (given === undefined) {
              expect(solo.isUnwritten).toBe(true);
              break;
            }
            expect(given).toBe(asked);
            expect(stored).toEqual({ position: asked.position, source: asked.source });
            running = given;
            break;
          }
          case 'settle':
          case 'runAgain':
            if (running === undefined) break;
            if (each.step === 'settle') solo.settled(running);
            running = undefined;
            break;
          case 'beginWrite':
            writing ??= { mark: solo.mark };
            break;
          case 'endWrite':
            if (writing === undefined) break;
            if (each.works) {
              stored = writing.mark;
              if (solo.mark === writing.mark) solo.isUnwritten = false;
            }
            writing = undefined;
            break;
        }
        if (running !== undefined && writing === undefined)
          expect(stored).toMatchObject({ position: running.position, source: running.source });
      }
    }),
    { numRuns: 500 },
  );
});

it('one at a time ends exactly when what was in flight has passed, and every failure that was has its outcome', () => {
  fc.assert(
    fc.property(
      fc.option(fc.nat(20), { nil: null }),
      fc.nat(25),
      fc.uniqueArray(fc.nat(9), { maxLength: 6 }),
      fc.array(fc.tuple(fc.constantFrom('settle', 'forget', 'keep'), fc.nat(9)), { maxLength: 12 }),
      fc.nat(25),
      (begun, newest, records, ends, position) => {
        const solo = new Solo({ begun, solo: null });
        solo.endAt(newest);
        solo.setRecords(records);
        let left = new Set(records);
        for (const [how, which] of ends) {
          if (how === 'settle') solo.settled(task(which, false));
          if (how === 'forget') solo.forget(which);
          if (how !== 'keep') left.delete(which);
          else {
            // One that was discarded, and others that this owner has begun meanwhile.
            const there = [...left, 20, 21].filter((record) => record !== which);
            solo.keepRecords(there);
            left = new Set([...left].filter((record) => record !== which));
          }
        }
        expect(solo.isOn(position)).toBe(position < Math.min(begun ?? 0, newest) || left.size > 0);
      },
    ),
    { numRuns: 500 },
  );
});
