import { serverCode } from '../errors.js';
import type { Document, Store } from './store.js';

/** A place in the log. */
export interface LogPoint {
  position: number;
  created: Date;
}

/**
 * More stray entries than two stale sequencers can leave at the front of the log, and as many again.
 * (The largest batch is 1,000; see sequencer/limits.ts.)
 */
const frontEntries = 4_001;

/** The newest entry, at majority; undefined when the log is gone. */
export async function readNewest(store: Store): Promise<LogPoint | undefined> {
  const entry = await store.collection('log').findOne({}, { sort: { _id: -1 }, projection: { created: 1 } });
  return entry === null ? undefined : toPoint(entry);
}

/**
 * The newest entry, checked with the majority: a new primary may not know at once that entries it holds are
 * majority-committed, and a plain majority read would then show an older end of the log.
 */
export async function readNewestLinearizable(store: Store, maxTimeMS: number): Promise<LogPoint | undefined> {
  const entry = await store
    .collection('log')
    .findOne({}, { sort: { _id: -1 }, projection: { created: 1 }, readConcern: { level: 'linearizable' }, maxTimeMS });
  return entry === null ? undefined : toPoint(entry);
}

/** The oldest entry that belongs to the log; stray entries are passed over. Undefined when the log is gone. */
export async function readOldest(store: Store): Promise<LogPoint | undefined> {
  const front = await readFront(store);
  const position = oldestOf(front.map((entry) => Number(entry['_id'])));
  const entry = front.find(({ _id }) => Number(_id) === position);
  return entry === undefined ? undefined : toPoint(entry);
}

/** CappedPositionLost: the log was overwritten where the scan stood; the front is elsewhere by now. */
const cappedPositionLost = 136;
/** A scan of the front takes milliseconds, so more failures in a row have another cause. */
const frontAttempts = 20;

async function readFront(store: Store, attempt = 1): Promise<Document[]> {
  try {
    return await store
      .collection('log')
      .find({}, { sort: { $natural: 1 }, limit: frontEntries, batchSize: frontEntries, projection: { created: 1 } })
      .toArray();
  } catch (error) {
    if (serverCode(error) !== cappedPositionLost || attempt === frontAttempts) throw error;
    return readFront(store, attempt + 1);
  }
}

/**
 * From the positions at the front of the log in order of insertion: the first whose run of successors, each inserted
 * later, reaches the newest of them. What comes before is stray: it was written to a position that had been
 * overwritten, so its successor was inserted before it, or is gone.
 */
export function oldestOf(positions: readonly number[]): number | undefined {
  const newest = positions.reduce((most, position) => Math.max(most, position), -1);
  // Backwards: from each position, where does its run of later-inserted successors end?
  const endOfRun = new Map<number, number>();
  let oldest: number | undefined;
  for (let index = positions.length - 1; index >= 0; index -= 1) {
    const position = positions[index] as number;
    const end = endOfRun.get(position + 1) ?? position;
    endOfRun.set(position, end);
    if (end === newest) oldest = position;
  }
  return oldest;
}

/** The first position at or after `date`; `created` never falls, so it is found by halving. Above `newest` when there is none. */
export async function findPositionAt(store: Store, date: Date, oldest: number, newest: number): Promise<number> {
  let low = oldest;
  let high = newest + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const entry = await store.collection('log').findOne({ _id: middle as never }, { projection: { created: 1 } });
    // Overwritten while we search: what we look for is after it.
    if (entry === null || (entry['created'] as Date).getTime() < date.getTime()) low = middle + 1;
    else high = middle;
  }
  return low;
}

function toPoint(entry: Document): LogPoint {
  return { position: Number(entry['_id']), created: entry['created'] as Date };
}
