import { toBigInt, type Int64 } from './int64.js';
import { readOldest } from './log-bounds.js';
import type { Document, Store } from './store.js';

/** A position and the running byte count at it: what lies between two marks is a subtraction. */
export interface LogMark {
  position: number;
  bytes: bigint;
}

/** The mark of a document that has a position, or an `_id` that is one, and a running count. */
export function toMark(fields: Document): LogMark {
  return { position: Number(fields['position'] ?? fields['_id']), bytes: toBigInt(fields['bytes'] as Int64) };
}

/** As for the front of the log: the oldest entry is overwritten between two reads only while the log moves fast. */
const attempts = 20;

/**
 * The mark up to which entries are gone: the one before the oldest entry. The genesis entry has no bytes in the running
 * count, and is none of the messages.
 */
export async function readOverwritten(store: Store): Promise<LogMark> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const oldest = await readOldest(store);
    if (oldest === undefined || oldest.position === 0) break;
    const entry = await store
      .collection('log')
      .findOne({ _id: oldest.position as never }, { projection: { bytes: 1, size: { $bsonSize: '$$ROOT' } } });
    if (entry === null) continue;
    const { position, bytes } = toMark(entry);
    return { position: position - 1, bytes: bytes - toBigInt(entry['size'] as Int64) };
  }
  return { position: 0, bytes: 0n };
}

/** The mark at `position`; undefined where it is overwritten. */
export async function readMark(store: Store, position: number): Promise<LogMark | undefined> {
  const entry = await store.collection('log').findOne({ _id: position as never }, { projection: { bytes: 1 } });
  return entry === null ? undefined : toMark(entry);
}

/**
 * A mark above `low` and up to `high` whose count is from `least` to `most`, or where no entry ends there, the first
 * one above. Entries of a log are mostly alike, so the place is guessed by the share of bytes: one or two reads; every
 * other time it is the middle, so that it is never more than twice a binary search.
 */
export async function findMark(
  store: Store,
  low: LogMark,
  high: LogMark,
  least: bigint,
  most: bigint,
): Promise<LogMark> {
  const aim = (least + most) / 2n;
  for (let read = 0; high.position - low.position > 1; read += 1) {
    const between = high.position - low.position;
    const share = Number(aim - low.bytes) / Number(high.bytes - low.bytes);
    const step = Math.round(between * (read % 2 === 0 ? share : 0.5));
    const position = low.position + Math.min(Math.max(step, 1), between - 1);
    // Overwritten while we search: what we look for is after it.
    const mark = (await readMark(store, position)) ?? { position, bytes: low.bytes };
    if (mark.bytes >= least && mark.bytes <= most) return mark;
    if (mark.bytes < least) low = mark;
    else high = mark;
  }
  return high;
}
