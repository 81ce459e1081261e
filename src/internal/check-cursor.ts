import { OutboxError, shown } from '../errors.js';
import type { Cursor } from '../message.js';

/** Refuses what is no cursor, at the call and not later. @throws `INVALID_CURSOR` */
export function checkCursor(cursor: unknown): asserts cursor is Cursor {
  if (cursor === 'beginning' || cursor === 'end') return;
  if (cursor instanceof Date && !Number.isNaN(cursor.getTime())) return;
  if (typeof cursor === 'number' && Number.isSafeInteger(cursor) && cursor >= 0) return;
  const got = cursor instanceof Date ? 'an invalid Date' : shown(cursor);
  throw new OutboxError(
    'INVALID_CURSOR',
    `a cursor must be a Date, a position (a whole number, 0 or more), "beginning" or "end": got ${got}`,
  );
}
