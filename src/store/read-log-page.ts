import type { ClientSession } from 'mongoose';
import { toBigInt, type Int64 } from './int64.js';
import { recordIdOf } from './record-id.js';
import { majority, type Document, type FindReply, type Store } from './store.js';

/** An entry of the log as it is read: the stored fields, and where the server keeps it. */
export interface StoredEntry {
  _id: number;
  type?: string;
  data: unknown;
  created: Date;
  bytes: bigint;
  id?: string;
  key?: string;
  headers?: Record<string, string>;
  token?: unknown;
  /** The server's record id; in a capped collection it rises in order of insertion, which shows stray entries. */
  $recordId: bigint;
}

/**
 * The entries after `position`, by index, at readConcern majority in the causally consistent session. At most `limit`,
 * and at most the 16 MiB that the server puts into one reply.
 */
export async function readLogPage(
  store: Store,
  session: ClientSession,
  position: number,
  limit: number,
): Promise<StoredEntry[]> {
  const reply = await store.command(
    {
      find: store.names.log,
      filter: { _id: { $gt: position } },
      sort: { _id: 1 },
      hint: { _id: 1 },
      limit,
      batchSize: limit,
      singleBatch: true,
      showRecordId: true,
      readConcern: majority,
    },
    { session },
  );
  return toEntries((reply as unknown as FindReply<StoredEntry>).cursor.firstBatch);
}

/** The entries at these positions that are still there. */
export async function readEntries(store: Store, positions: readonly number[]): Promise<StoredEntry[]> {
  if (positions.length === 0) return [];
  const found = await store
    .collection('log')
    .find({ _id: { $in: positions as never[] } }, { showRecordId: true })
    .toArray();
  return toEntries(found as unknown as StoredEntry[]);
}

function toEntries(entries: StoredEntry[]): StoredEntry[] {
  for (const entry of entries) {
    // A position above 2^31 is stored as a 64-bit integer.
    if (typeof entry._id !== 'number') entry._id = Number(entry._id);
    entry.bytes = toBigInt(entry.bytes as unknown as Int64);
    entry.$recordId = recordIdOf(entry as unknown as Document);
  }
  return entries;
}
