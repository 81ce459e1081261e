import type { StoredEntry } from '../store/read-log-page.js';
import type { FailureRecord } from '../store/failure-records.js';
import type { Item } from './item.js';

/** A message that a consumer runs. */
export interface Task extends Item {
  payload: StoredEntry | undefined;
  readonly type: string;
  readonly key: string | undefined;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When its run began, by the monotonic clock. */
  startedAt: number;
  /** The outage's number of the run. */
  order: number;
  /** How often it was given to a handler by this owner. */
  runs: number;
}

/** The lane of everything with `order: "strict"`; a key may be the empty string too, but the two are never used together. */
export const strictLane = '';

function task(
  source: Task['source'],
  entry: StoredEntry,
  lane: string | undefined,
  attempt: number,
  size: number,
): Task {
  return {
    source,
    position: entry._id,
    lane,
    size,
    payload: entry,
    state: 'waiting',
    begun: false,
    taken: false,
    type: entry.type as string,
    key: entry.key,
    attempt,
    startedAt: 0,
    order: 0,
    runs: 0,
  };
}

export function logTask(entry: StoredEntry, order: 'key' | 'strict', size: number): Task {
  return task('log', entry, order === 'strict' ? strictLane : entry.key, 1, size);
}

export function recordTask(record: FailureRecord, order: 'key' | 'strict'): Task {
  const lane = order === 'strict' ? strictLane : record.key;
  return task('failures', record.entry, lane, record.attempts + 1, 0);
}
