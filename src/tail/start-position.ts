import type { Cursor } from '../message.js';

/** The ends of the log when a reader starts. */
export interface LogBounds {
  oldest: { position: number; created: Date };
  newest: { position: number; created: Date };
}

/** Read after `position`; `findDate`: search for the first entry at or after the cursor's Date. */
export type Start = { position: number } | 'findDate' | 'lost';

/**
 * Where a reader starts, from its cursor and the ends of the log. What a Date at or before the oldest entry of a log that
 * has overwritten something missed is unknown, so it is lost; a position is lost when its successor is gone, or when it
 * is beyond the end (the log was made anew, or restored).
 */
export function startPosition(cursor: Cursor, { oldest, newest }: LogBounds): Start {
  if (cursor === 'beginning') return { position: Math.max(0, oldest.position - 1) };
  if (cursor === 'end') return { position: newest.position };
  if (typeof cursor === 'number')
    return cursor > newest.position || cursor + 1 < oldest.position ? 'lost' : { position: cursor };
  if (oldest.position > 1 && cursor.getTime() <= oldest.created.getTime()) return 'lost';
  if (cursor.getTime() > newest.created.getTime()) return { position: newest.position };
  return 'findDate';
}
