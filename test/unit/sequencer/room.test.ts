import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  driftOf,
  fits,
  floorTarget,
  roomAbove,
  unpassedAbove,
  type Extent,
  type RoomFigures,
} from '../../../src/sequencer/room.js';
import type { LogMark } from '../../../src/store/log-marks.js';

const at = (position: number, bytes: number | bigint): LogMark => ({ position, bytes: BigInt(bytes) });
const extent = (bytes: number, messages: number): Extent => ({ bytes, messages });
const none = extent(0, 0);

const figures = (overrides: Partial<RoomFigures> = {}): RoomFigures => ({
  cap: { sizeBytes: 10_000, maxMessages: 100 },
  base: at(50, 5_000),
  floor: at(20, 2_000),
  drift: none,
  largest: extent(2_500, 25),
  ...overrides,
});

describe('what the server counts too much', () => {
  it.each([
    { when: 'nothing', reported: extent(4_000, 40), overwritten: at(10, 1_000), base: at(50, 5_000), drift: none },
    {
      when: 'after a crash',
      reported: extent(4_700, 43),
      overwritten: at(10, 1_000),
      base: at(50, 5_000),
      drift: extent(700, 3),
    },
    {
      when: 'too little after a crash: the log is larger than its cap, no harm is done',
      reported: extent(0, 0),
      overwritten: at(10, 1_000),
      base: at(50, 5_000),
      drift: none,
    },
    {
      when: 'more bytes in fewer entries',
      reported: extent(4_200, 30),
      overwritten: at(10, 1_000),
      base: at(50, 5_000),
      drift: extent(200, 0),
    },
    {
      when: 'the genesis entry of a new log',
      reported: extent(60, 1),
      overwritten: at(0, 0),
      base: at(0, 0),
      drift: extent(60, 1),
    },
    {
      when: 'the genesis entry beside others',
      reported: extent(1_060, 11),
      overwritten: at(0, 0),
      base: at(10, 1_000),
      drift: extent(60, 1),
    },
    {
      when: 'stray entries, which are in no difference of running counts',
      reported: extent(4_900, 49),
      overwritten: at(10, 1_000),
      base: at(50, 5_000),
      drift: extent(900, 9),
    },
    {
      when: 'running counts beyond what a number holds exactly',
      reported: extent(4_001, 40),
      overwritten: at(10, 2n ** 60n + 1_000n),
      base: at(50, 2n ** 60n + 5_000n),
      drift: extent(1, 0),
    },
  ])('$when', ({ reported, overwritten, base, drift }) => {
    expect(driftOf(reported, overwritten, base)).toEqual(drift);
  });
});

describe('what may be appended', () => {
  it.each<{ when: string; given: Partial<RoomFigures>; room: Extent }>([
    { when: 'beside what is unpassed and one largest append', given: {}, room: extent(4_500, 45) },
    { when: 'less what the server counts too much', given: { drift: extent(1_000, 10) }, room: extent(3_500, 35) },
    {
      when: 'any number without a cap by count',
      given: { cap: { sizeBytes: 10_000, maxMessages: undefined } },
      room: extent(4_500, Infinity),
    },
    {
      when: 'nothing where the unpassed fill it',
      given: { floor: at(0, 0), base: at(50, 7_500) },
      room: extent(0, 25),
    },
    {
      when: 'nothing where they fill it by count',
      given: { floor: at(0, 0), base: at(75, 750) },
      room: extent(6_750, 0),
    },
    {
      when: 'less than nothing where the server counts far too much',
      given: { drift: extent(9_000, 0) },
      room: extent(-4_500, 45),
    },
    {
      when: 'with the floor at the end, all but one largest append',
      given: { floor: at(50, 5_000) },
      room: extent(7_500, 75),
    },
    {
      when: 'the same with a floor above the end, that of an older log',
      given: { floor: at(900, 90_000) },
      room: extent(7_500, 75),
    },
    {
      when: 'in a log above 2 GiB, late in its life',
      given: {
        cap: { sizeBytes: 2 ** 33, maxMessages: undefined },
        base: at(2 ** 40, 2n ** 62n + 3_000n),
        floor: at(2 ** 40 - 5, 2n ** 62n),
      },
      room: extent(2 ** 33 - 3_000 - 2_500, Infinity),
    },
  ])('$when', ({ given, room }) => {
    expect(roomAbove(figures(given))).toMatchObject(room);
  });

  it.each([
    { batch: extent(500, 5), room: { ...extent(500, 5), nothingUnpassed: false }, goes: true },
    { batch: extent(501, 5), room: { ...extent(500, 5), nothingUnpassed: false }, goes: false },
    { batch: extent(500, 6), room: { ...extent(500, 5), nothingUnpassed: false }, goes: false },
    { batch: extent(1, 1), room: { ...extent(0, 5), nothingUnpassed: false }, goes: false },
    { batch: extent(9_000, 1), room: { ...extent(-100, 0), nothingUnpassed: true }, goes: true },
    { batch: extent(9_000, 2), room: { ...extent(-100, 0), nothingUnpassed: true }, goes: false },
    { batch: extent(500, 5), room: { ...extent(500, Infinity), nothingUnpassed: true }, goes: true },
  ])('a batch of $batch.messages in $batch.bytes bytes into $room: $goes', ({ batch, room, goes }) => {
    expect(fits(batch, room)).toBe(goes);
  });

  it('knows that nothing is unpassed', () => {
    expect(roomAbove(figures()).nothingUnpassed).toBe(false);
    expect(roomAbove(figures({ floor: at(50, 5_000) })).nothingUnpassed).toBe(true);
    expect(unpassedAbove(at(20, 2_000), at(50, 5_000))).toEqual(extent(3_000, 30));
    expect(unpassedAbove(at(60, 6_000), at(50, 5_000))).toEqual(none);
  });
});

describe('how far the floor is raised', () => {
  it.each([
    {
      when: 'not at all where there is room',
      given: {},
      batch: extent(1_000, 10),
      target: { leastBytes: -1_500n, mostBytes: -875n, position: -9 },
    },
    {
      when: 'by what is missing, and up to a sixteenth of the log more',
      given: { floor: at(0, 0), base: at(90, 9_000) },
      batch: extent(2_000, 20),
      target: { leastBytes: 3_500n, mostBytes: 4_125n, position: 41 },
    },
    {
      when: 'to the end at most, by count',
      given: { base: at(50, 500), drift: extent(0, 90) },
      batch: extent(100, 10),
      target: { leastBytes: -6_900n, mostBytes: -6_275n, position: 50 },
    },
    {
      when: 'by size alone without a cap by count',
      given: { cap: { sizeBytes: 10_000, maxMessages: undefined }, base: at(90, 9_000) },
      batch: extent(2_000, 20),
      target: { leastBytes: 3_500n, mostBytes: 4_125n, position: 0 },
    },
  ])('$when', ({ given, batch, target }) => {
    expect(floorTarget(figures(given), batch)).toEqual(target);
  });

  const entries = fc.array(fc.integer({ min: 50, max: 2_500 }), { minLength: 1, maxLength: 200 });

  it('makes the batch fit, wherever entries end', () => {
    fc.assert(
      fc.property(entries, fc.nat(2_500), fc.nat(25), fc.nat(2_000), fc.nat(10), (sizes, bytes, messages, d, dn) => {
        const marks = [at(0, 0)];
        for (const size of sizes) marks.push(at(marks.length, marks.at(-1)!.bytes + BigInt(size)));
        const given = figures({ base: marks.at(-1)!, floor: marks[0]!, drift: extent(d, dn) });
        const batch = extent(bytes, messages);
        const { leastBytes, position } = floorTarget(given, batch);
        const floor = marks.find((mark) => mark.bytes >= leastBytes && mark.position >= position) ?? marks.at(-1)!;
        const room = roomAbove({ ...given, floor });
        expect(fits(batch, room) || floor === marks.at(-1)).toBe(true);
      }),
    );
  });

  it('and then the server, which evicts by its own count, evicts nothing above the floor', () => {
    fc.assert(
      fc.property(entries, fc.nat(200), fc.nat(3_000), fc.nat(30), (sizes, floorAt, d, dn) => {
        const marks = [at(0, 0)];
        for (const size of sizes) marks.push(at(marks.length, marks.at(-1)!.bytes + BigInt(size)));
        const base = marks.at(-1)!;
        const floor = marks[Math.min(floorAt, sizes.length)]!;
        const given = figures({ base, floor, drift: extent(d, dn) });
        const room = roomAbove(given);
        if (room.bytes < 0 || room.messages < 0) return;
        // A server's eviction: from the oldest on while its count is above the cap, strays of a stale sequencer included.
        let reported = Number(base.bytes) + d + given.largest.bytes + room.bytes;
        let count = base.position + dn + given.largest.messages + room.messages;
        let oldest = 1;
        while (reported > given.cap.sizeBytes || count > given.cap.maxMessages!) {
          reported -= sizes[oldest - 1]!;
          count -= 1;
          oldest += 1;
        }
        expect(oldest).toBeLessThanOrEqual(floor.position + 1);
      }),
    );
  });
});
