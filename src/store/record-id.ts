import { toBigInt, type Int64 } from './int64.js';
import type { Document } from './store.js';

/** Where the server keeps an entry that was read with `showRecordId`; in a capped collection it rises in order of insertion. */
export function recordIdOf(entry: Document): bigint {
  return toBigInt(entry['$recordId'] as Int64);
}
