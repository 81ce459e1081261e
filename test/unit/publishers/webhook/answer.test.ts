import { describe, expect, it } from 'vitest';

import { answerOf, retryAfterMs, type Answer } from '../../../../src/publishers/webhook/answer.js';
import { defaults } from '../../../../src/publishers/webhook/webhook-options.js';

const outages = new Set<number>(defaults.outageStatuses);

describe('what a status means', () => {
  it.each<[Answer, number[]]>([
    ['taken', [200, 201, 202, 204, 299]],
    ['refused', [400, 402, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 417, 418, 422, 426, 428, 431, 451, 499]],
    ['unavailable', [401, 403]],
    ['unavailable', [408, 425, 429]],
    ['unavailable', [300, 301, 302, 303, 304, 307, 308]],
    ['unavailable', [500, 501, 502, 503, 504, 599]],
  ])('%s: %j', (answer, statuses) => {
    expect(statuses.map((status) => answerOf(status, outages))).toEqual(statuses.map(() => answer));
  });

  it('is refused for all of 400 to 499 but 408, 425 and 429 where no status is an outage by option', () => {
    const unavailable = Array.from({ length: 100 }, (_, n) => 400 + n).filter(
      (status) => answerOf(status, new Set()) !== 'refused',
    );
    expect(unavailable).toEqual([408, 425, 429]);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-02T03:04:05Z');
  it.each<[string | null, string | null, number]>([
    [null, null, 0],
    ['0', null, 0],
    ['120', null, 120_000],
    [' 7 ', null, 7_000],
    ['3600', null, 3_600_000],
    ['3601', null, 3_600_000],
    ['99999999999999999999', null, 3_600_000],
    ['', null, 0],
    ['-5', null, 0],
    ['1.5', null, 0],
    ['soon', null, 0],
    ['2026-01-02T03:04:15Z', null, 0],
    ['Fri, 02 Jan 2026 03:04:15 GMT', null, 10_000],
    ['Friday, 02-Jan-26 03:04:15 GMT', null, 10_000],
    ['Fri, 02 Jan 2026 03:04:00 GMT', null, 0],
    ['Sat, 03 Jan 2026 03:04:05 GMT', null, 3_600_000],
    ['Fri, 02 Jan 2026 09:00:10 GMT', 'Fri, 02 Jan 2026 09:00:00 GMT', 10_000],
    ['Fri, 02 Jan 2026 03:04:15 GMT', 'nonsense', 10_000],
  ])('%j beside the date %j is %i ms', (retryAfter, date, ms) => {
    expect(retryAfterMs(retryAfter, date, now)).toBe(ms);
  });
});
