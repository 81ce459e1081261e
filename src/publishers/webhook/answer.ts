/** What an answer means: the messages are taken, each is refused for good, or the destination can't take any now. */
export type Answer = 'taken' | 'refused' | 'unavailable';

/** Statuses that ask to send the same request later. */
const later: ReadonlySet<number> = new Set([408, 425, 429]);

export function answerOf(status: number, outageStatuses: ReadonlySet<number>): Answer {
  if (status >= 200 && status < 300) return 'taken';
  if (status >= 400 && status < 500 && !later.has(status) && !outageStatuses.has(status)) return 'refused';
  return 'unavailable';
}

/** What to do, for people. */
export function adviceFor(status: number): string {
  if (status >= 300 && status < 400) return 'redirects are not followed: give the url that it leads to';
  if (status === 401 || status === 403) return 'look at its secret and at option headers';
  if (status === 404 || status === 405 || status === 410) return 'look at the url';
  if (status === 415) return 'it may want another mode';
  return 'it is tried again';
}

/** A wrong header must not stop a relay for good: after that long the destination is asked again. */
const mostWaitMs = 3_600_000;

/**
 * How long a destination asks to be left alone, in milliseconds; at most an hour, 0 when it does not ask. A date is
 * compared with the answer's own, so that the clocks need not agree.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(retryAfter: string | null, date: string | null, nowMs: number): number {
  if (retryAfter === null) return 0;
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, mostWaitMs);
  const until = dateOf(text);
  if (until === undefined) return 0;
  return Math.min(Math.max(until - (dateOf(date ?? '') ?? nowMs), 0), mostWaitMs);
}

/** An HTTP date always names its day of the week; `Date.parse` alone takes "-5" and "7.5" as dates. */
function dateOf(text: string): number | undefined {
  const time = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? undefined : time;
}
