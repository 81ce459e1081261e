import { describe, expect, it } from 'vitest';

import { OutboxError } from '../../../src/errors.js';
import type { Cursor } from '../../../src/message.js';
import { checkCursor } from '../../../src/internal/check-cursor.js';
import { startPosition, type LogBounds, type Start } from '../../../src/tail/start-position.js';

const at = (ms: number) => new Date(ms);
const bounds = (oldest: [number, number], newest: [number, number]): LogBounds => ({
  oldest: { position: oldest[0], created: at(oldest[1]) },
  newest: { position: newest[0], created: at(newest[1]) },
});

const genesisOnly = bounds([0, 0], [0, 0]);
const whole = bounds([0, 0], [9, 900]);
const withoutGenesis = bounds([1, 100], [9, 900]);
const wrapped = bounds([5, 500], [9, 900]);

const table: { log: string; bounds: LogBounds; cases: [Cursor, Start][] }[] = [
  {
    log: 'only the genesis entry',
    bounds: genesisOnly,
    cases: [
      ['beginning', { position: 0 }],
      ['end', { position: 0 }],
      [0, { position: 0 }],
      [1, 'lost'],
      [at(1), { position: 0 }],
    ],
  },
  {
    log: 'a log that has overwritten nothing',
    bounds: whole,
    cases: [
      ['beginning', { position: 0 }],
      ['end', { position: 9 }],
      [0, { position: 0 }],
      [8, { position: 8 }],
      [9, { position: 9 }],
      [10, 'lost'],
      [at(0), 'findDate'],
      [at(100), 'findDate'],
      [at(900), 'findDate'],
      [at(901), { position: 9 }],
    ],
  },
  {
    log: 'a log that has overwritten the genesis entry alone',
    bounds: withoutGenesis,
    cases: [
      ['beginning', { position: 0 }],
      [0, { position: 0 }],
      [at(1), 'findDate'],
      [at(100), 'findDate'],
    ],
  },
  {
    log: 'a log that has overwritten messages',
    bounds: wrapped,
    cases: [
      ['beginning', { position: 4 }],
      ['end', { position: 9 }],
      [0, 'lost'],
      [3, 'lost'],
      [4, { position: 4 }],
      [9, { position: 9 }],
      [10, 'lost'],
      [at(499), 'lost'],
      // Messages of the same millisecond may have been overwritten.
      [at(500), 'lost'],
      [at(501), 'findDate'],
      [at(900), 'findDate'],
      [at(10_000), { position: 9 }],
    ],
  },
];

const name = (cursor: Cursor) => (cursor instanceof Date ? `the Date ${cursor.getTime()}` : String(cursor));
const outcome = (start: Start) => (typeof start === 'string' ? start : `after ${start.position}`);

describe.each(table)('$log', ({ bounds, cases }) => {
  it.each(
    cases.map(([cursor, start]) => ({ cursor: name(cursor), start: outcome(start), given: cursor, expected: start })),
  )('$cursor -> $start', ({ given, expected }) => {
    expect(startPosition(given, bounds)).toEqual(expected);
  });
});

describe('a cursor', () => {
  it.each<unknown>([0, 1, Number.MAX_SAFE_INTEGER, 'beginning', 'end', at(0), at(Date.now() + 1e9)])(
    'can be %s',
    (cursor) => {
      expect(() => checkCursor(cursor)).not.toThrow();
    },
  );

  it.each<{ what: string; cursor: unknown; got: string }>([
    { what: 'a negative number', cursor: -1, got: 'got -1' },
    { what: 'a fraction', cursor: 1.5, got: 'got 1.5' },
    { what: 'NaN', cursor: NaN, got: 'got NaN' },
    { what: 'Infinity', cursor: Infinity, got: 'got Infinity' },
    { what: 'more than a safe integer', cursor: 2 ** 53, got: 'got 9007199254740992' },
    { what: 'a bigint', cursor: 5n, got: 'got 5' },
    { what: 'a date as text', cursor: '2024-01-01', got: 'got "2024-01-01"' },
    { what: 'another word', cursor: 'start', got: 'got "start"' },
    { what: 'an invalid Date', cursor: new Date(NaN), got: 'got an invalid Date' },
    { what: 'null', cursor: null, got: 'got null' },
    { what: 'an object', cursor: {}, got: 'got an object of Object' },
  ])('cannot be $what, and the error says what it got', ({ cursor, got }) => {
    const refusal = (() => {
      try {
        checkCursor(cursor);
        return undefined;
      } catch (error) {
        return error as OutboxError;
      }
    })();
    expect(refusal).toBeInstanceOf(OutboxError);
    expect(refusal).toMatchObject({ code: 'INVALID_CURSOR', retryable: false });
    expect(refusal?.message).toContain(got);
  });
});
