import { OutboxError } from '../errors.js';
import type { Cursor } from '../message.js';
import { findPositionAt, readNewest, readNewestLinearizable, readOldest } from '../store/log-bounds.js';
import type { Store } from '../store/store.js';
import { startPosition } from './start-position.js';

/** How long, in milliseconds, the check of a position beyond the end waits for the majority. */
export const linearizableMs = 10_000;

/** The position after which reading from the cursor begins. @throws `POSITION_LOST` */
export async function findStart(store: Store, cursor: Cursor): Promise<number> {
  const oldest = await readOldest(store);
  let newest = await readNewest(store);
  if (oldest === undefined || newest === undefined) throw noLog(store);
  if (typeof cursor === 'number' && cursor > newest.position)
    newest = (await readNewestLinearizable(store, linearizableMs)) ?? newest;
  const start = startPosition(cursor, { oldest, newest });
  if (start === 'lost') throw positionLost(cursor, oldest.position, newest.position);
  return start === 'findDate'
    ? (await findPositionAt(store, cursor as Date, oldest.position, newest.position)) - 1
    : start.position;
}

export function noLog(store: Store): OutboxError {
  return new OutboxError(
    'POSITION_LOST',
    `the log ${store.names.log} is empty or gone: it was dropped while this outbox was open; make a new outbox, and read from "beginning"`,
  );
}

export function positionLost(cursor: Cursor, oldest: number, newest: number): OutboxError {
  const after = cursor instanceof Date ? `the Date ${cursor.toISOString()}` : `position ${String(cursor)}`;
  return new OutboxError(
    'POSITION_LOST',
    `reading on after ${after} is not possible without a gap: the log now holds the positions ${Math.max(1, oldest)} to ${newest}; what was between has been overwritten, or the log was made anew; start from "beginning", and make the log larger (sizeBytes) if readers fall behind`,
    { oldest: Math.max(1, oldest) },
  );
}
