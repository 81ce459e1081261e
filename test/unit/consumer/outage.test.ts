import { describe, expect, it } from 'vitest';

import { Outage, outageAfter, type Verdict } from '../../../src/consumer/outage.js';

const retry = { maxAttempts: 10, initialDelayMs: 1_000, maxDelayMs: 300_000, factor: 2, jitter: 0 };
const none = { convicted: [], givenBack: [] };
const outageOf = () => new Outage<string>(retry, () => 0);
const names = (count: number) => Array.from({ length: count }, (_, index) => `m${index + 1}`);
const convicted = ({ convicted: items }: Verdict<string>) => items.map(({ item }) => item);

describe('while the destination is up', () => {
  it('a failed message is convicted by the success of a run that began later', () => {
    const outage = outageOf();
    outage.start();
    const error = new Error('own');
    expect(outage.failed('a', error, 0)).toEqual(none);
    expect(outage.hasSuspects).toBe(true);
    const later = outage.start();
    expect(outage.accepted(later)).toMatchObject({ convicted: [{ item: 'a', error }], givenBack: [] });
    expect(outage.hasSuspects).toBe(false);
    expect(outage.isDown).toBe(false);
  });

  it('but not by one that began before it failed', () => {
    const outage = outageOf();
    const earlier = outage.start();
    outage.start();
    outage.failed('a', new Error('own'), 0);
    expect(outage.accepted(earlier)).toEqual(none);
    expect(outage.hasSuspects).toBe(true);
  });

  it('a run of different failures without one success is an outage, and spends no attempt', () => {
    const outage = outageOf();
    const failing = names(outageAfter);
    for (const item of failing.slice(0, -1)) {
      outage.start();
      expect(outage.failed(item, new Error(), 100)).toEqual(none);
    }
    expect(outage.isDown).toBe(false);
    expect(outage.failed(failing.at(-1) as string, new Error(), 100)).toEqual({
      convicted: [],
      givenBack: failing,
      turned: 'down',
    });
    expect(outage.isDown).toBe(true);
    expect(outage.hasSuspects).toBe(false);
    expect(outage.probeAt).toBe(1_100);
    expect(outage.graceEnds).toBeUndefined();
  });

  it('a success in between starts the run anew', () => {
    const outage = outageOf();
    for (let round = 0; round < 3; round += 1) {
      for (const item of names(outageAfter - 1)) outage.failed(item, new Error(), 0);
      expect(convicted(outage.accepted(outage.start()))).toEqual(names(outageAfter - 1));
    }
    expect(outage.isDown).toBe(false);
  });

  it('suspects are convicted for want of others to compare them with, each when its time has passed', () => {
    const outage = outageOf();
    expect(outage.graceEnds).toBeUndefined();
    outage.failed('a', new Error(), 70);
    outage.failed('b', new Error(), 90);
    expect(outage.graceEnds).toBe(570);
    expect(convicted(outage.convictAlone(569, 0))).toEqual([]);
    expect(convicted(outage.convictAlone(570, 0))).toEqual(['a']);
    expect(outage.graceEnds).toBe(590);
    expect(convicted(outage.convictAlone(590, 0))).toEqual(['b']);
    expect(outage.graceEnds).toBeUndefined();
    expect(outage.convictAlone(9_999, 0)).toEqual(none);
  });

  it('but not while a run is under way that began after they failed, and will show it', () => {
    const outage = outageOf();
    const before = outage.start();
    outage.failed('a', new Error(), 0);
    const after = outage.start();
    outage.failed('b', new Error(), 0);
    expect(convicted(outage.convictAlone(1_000, after))).toEqual(['b']);
    expect(outage.hasSuspects).toBe(true);
    expect(convicted(outage.convictAlone(1_000, before))).toEqual(['a']);
  });

  it('they wait no longer for it than the first delay of a retry', () => {
    const outage = new Outage<string>({ ...retry, initialDelayMs: 20 }, () => 0);
    outage.failed('a', new Error(), 70);
    expect(outage.graceEnds).toBe(90);
  });

  it('one that says that it is down is an outage at once', () => {
    const outage = outageOf();
    outage.failed('a', new Error(), 0);
    expect(outage.refused(['b', 'c'], 50)).toEqual({ convicted: [], givenBack: ['b', 'c', 'a'], turned: 'down' });
    expect(outage.refused(['d'], 60)).toEqual({ convicted: [], givenBack: ['d'] });
    expect(outage.failed('e', new Error(), 60)).toEqual({ convicted: [], givenBack: ['e'] });
    expect(outage.probeAt).toBe(1_050);
  });
});

describe('while the destination is down', () => {
  const down = () => {
    const outage = outageOf();
    outage.refused(['a'], 0);
    return outage;
  };
  const probeOf = (outage: Outage<string>, now: number, next: string | undefined, beside: string | undefined) =>
    outage.probe(
      now,
      () => next,
      () => beside,
    );
  const error = new Error('refused');

  it('nothing is probed before its time, or where there is nothing', () => {
    const outage = down();
    expect(probeOf(outage, 999, 'a', 'b')).toEqual({ givenBack: [] });
    expect(probeOf(outage, 1_000, undefined, 'b')).toEqual({ givenBack: [] });
    expect(probeOf(outage, 1_000, 'a', 'b')).toEqual({ item: 'a', again: false });
  });

  it('nothing is probed while it is up', () => {
    expect(probeOf(outageOf(), 1_000, 'a', 'b')).toEqual({ givenBack: [] });
    expect(outageOf().probeAt).toBeUndefined();
    expect(outageOf().refusedRounds).toBe(0);
  });

  it('an accepted probe ends it', () => {
    const outage = down();
    probeOf(outage, 1_000, 'a', 'b');
    expect(outage.probed('a', 'accepted', undefined, 1_010)).toEqual({ ...none, turned: 'up' });
    expect(outage.isDown).toBe(false);
    expect(outage.probeAt).toBeUndefined();
  });

  it('where the lowest is refused, one of another lane is tried at once; both refused is a round, the next one later', () => {
    const outage = down();
    expect(outage.probed('a', 'refused', error, 1_000)).toEqual(none);
    expect(outage.refusedRounds).toBe(0);
    expect(probeOf(outage, 1_000, 'x', 'b')).toEqual({ item: 'b', again: false });
    expect(outage.probed('b', 'refused', error, 1_010)).toEqual({ convicted: [], givenBack: ['b', 'a'] });
    expect(outage.refusedRounds).toBe(1);
    expect(outage.probeAt).toBe(3_010);
    expect(probeOf(outage, 3_010, 'a', 'b')).toEqual({ item: 'a', again: false });
  });

  it('where there is no other to compare with, it is given back until the next round', () => {
    const outage = down();
    outage.probed('a', 'refused', error, 1_000);
    expect(probeOf(outage, 1_000, undefined, undefined)).toEqual({ givenBack: ['a'] });
    expect(outage.refusedRounds).toBe(1);
    expect(outage.isDown).toBe(true);
  });

  it('where several are refused beside the lowest, each round tries another, and then all of them again', () => {
    const outage = down();
    const beside: string[] = [];
    let now = 1_000;
    for (let round = 0; round < 5; round += 1) {
      outage.probed('a', 'refused', error, now);
      const probe = outage.probe(
        now,
        () => undefined,
        (_accused, tried) => ['b', 'c', 'd'].find((item) => !tried.has(item)),
      );
      if (probe === 'later' || !('item' in probe)) break;
      beside.push(probe.item);
      outage.probed(probe.item, 'refused', error, now);
      now = outage.probeAt ?? now;
    }
    expect(beside).toEqual(['b', 'c', 'd', 'b', 'c']);
    expect(outage.refusedRounds).toBe(5);
  });

  it('where another may not be run yet, it waits for that', () => {
    const outage = down();
    outage.probed('a', 'refused', error, 1_000);
    expect(probeOf(outage, 1_000, undefined, 'later')).toBe('later');
    expect(outage.refusedRounds).toBe(0);
    expect(probeOf(outage, 1_000, undefined, 'b')).toEqual({ item: 'b', again: false });
  });

  it('the first, refused again after another was accepted, failed by itself', () => {
    const outage = down();
    outage.probed('a', 'refused', error, 1_000);
    expect(outage.probed('b', 'accepted', undefined, 1_010)).toEqual(none);
    expect(outage.isDown).toBe(true);
    expect(probeOf(outage, 1_010, 'x', 'y')).toEqual({ item: 'a', again: true });
    const own = new Error('own');
    expect(outage.probed('a', 'refused', own, 1_020)).toEqual({
      convicted: [{ item: 'a', error: own }],
      givenBack: [],
      turned: 'up',
    });
  });

  it('the first, accepted at its second trial, was not at fault', () => {
    const outage = down();
    outage.probed('a', 'refused', error, 1_000);
    outage.probed('b', 'accepted', undefined, 1_010);
    expect(probeOf(outage, 1_010, 'x', 'y')).toEqual({ item: 'a', again: true });
    expect(outage.probed('a', 'accepted', undefined, 1_020)).toEqual({ ...none, turned: 'up' });
  });

  it('an accused message is compared with another one without delay', () => {
    const outage = outageOf();
    outage.failed('s', new Error(), 0);
    expect(outage.accuse('a', error, 100)).toEqual({ convicted: [], givenBack: ['s'], turned: 'down' });
    expect(outage.probeAt).toBe(100);
    expect(probeOf(outage, 100, 'x', 'b')).toEqual({ item: 'b', again: false });
  });

  it('the success of a run that began before it ends it, and frees the accused one', () => {
    const outage = outageOf();
    const before = outage.start();
    outage.accuse('a', error, 100);
    expect(outage.accepted(before)).toEqual({ convicted: [], givenBack: ['a'], turned: 'up' });
  });

  it('a probe that is answered, though it failed by itself, ends it', () => {
    const outage = outageOf();
    outage.accuse('a', error, 100);
    expect(outage.answered('b')).toEqual({ convicted: [], givenBack: ['a'], turned: 'up' });
    expect(outage.answered('b')).toEqual(none);
    outage.accuse('a', error, 200);
    expect(outage.answered('a')).toEqual({ ...none, turned: 'up' });
  });

  it('a probe that can never be handled says nothing of the destination, unless it was the accused one', () => {
    const outage = outageOf();
    outage.accuse('a', error, 100);
    expect(outage.gaveUp('b')).toEqual(none);
    expect(outage.isDown).toBe(true);
    expect(outage.gaveUp('a')).toEqual({ ...none, turned: 'up' });
    expect(outage.gaveUp('a')).toEqual(none);
  });

  it('gives back everything that waits for a verdict when the consumer stops', () => {
    const outage = outageOf();
    outage.failed('s', new Error(), 0);
    expect(outage.release()).toEqual(['s']);
    expect(outage.release()).toEqual([]);
    outage.accuse('a', error, 100);
    expect(outage.release()).toEqual(['a']);
  });
});
