import { describe, expect, it } from 'vitest';

import { Solo } from '../../../src/consumer/solo.js';
import { logTask, recordTask } from '../../../src/consumer/task.js';

const entry = (position: number) => ({ _id: position, type: 't' }) as never;
const fromLog = (position: number) => logTask(entry(position), 'key', 10);
const fromFailures = (position: number) =>
  recordTask({ entry: entry(position), position, attempts: 1 } as never, 'key');

describe('one at a time', () => {
  it.each<[begun: number | null, position: number, on: boolean]>([
    [null, 0, false],
    [10, 4, true],
    [10, 9, true],
    [10, 10, false],
  ])('where %o was begun and %i is done: %s', (begun, position, on) => {
    expect(new Solo({ begun, solo: null }).isOn(position)).toBe(on);
  });

  it('but not what was appended later', () => {
    const solo = new Solo({ begun: 10, solo: null });
    solo.endAt(6);
    expect([5, 6].map((position) => solo.isOn(position))).toEqual([true, false]);
    solo.endAt(20);
    expect(solo.isOn(6)).toBe(false);
  });

  it('while failures that were in flight have no outcome', () => {
    const solo = new Solo({ begun: null, solo: null });
    solo.setRecords([3, 5]);
    solo.settled(fromFailures(3));
    expect(solo.isOn(0)).toBe(true);
    solo.settled(fromFailures(5));
    expect(solo.isOn(0)).toBe(false);
  });

  it('says what ran alone when its process died', () => {
    const died = { position: 5, source: 'log' } as const;
    expect(new Solo({ begun: 10, solo: died }).died).toBe(died);
  });
});

describe('a mark', () => {
  it('is written before its task is given, and gone with its outcome', () => {
    const solo = new Solo({ begun: 10, solo: null });
    const task = fromLog(1);
    expect(solo.ask(task)).toBeUndefined();
    expect(solo).toMatchObject({ mark: { position: 1, source: 'log' }, isUnwritten: true });
    expect(solo.ask(task)).toBeUndefined();
    solo.isUnwritten = false;
    expect(solo.ask(task)).toBe(task);
    solo.settled(fromLog(2));
    expect(solo.mark).not.toBeNull();
    solo.settled(task);
    expect(solo.mark).toBeNull();
  });

  it('is of the task that is asked for, not of one that was to be run before', () => {
    const solo = new Solo({ begun: 10, solo: null });
    solo.ask(fromLog(1));
    solo.isUnwritten = false;
    const other = fromFailures(2);
    expect(solo.ask(other)).toBeUndefined();
    expect(solo).toMatchObject({ mark: { position: 2, source: 'failures' }, isUnwritten: true });
    solo.isUnwritten = false;
    expect(solo.ask(other)).toBe(other);
  });

  it('is asked for anew where the task is run again', () => {
    const solo = new Solo({ begun: 10, solo: null });
    const task = fromLog(1);
    solo.ask(task);
    solo.isUnwritten = false;
    expect(solo.ask(task)).toBe(task);
    solo.settled(task);
    expect(solo.ask(task)).toBeUndefined();
    expect(solo.isUnwritten).toBe(true);
  });
});
