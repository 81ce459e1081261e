import type { ClientSession } from 'mongoose';
import { toBigInt, type Int64 } from './int64.js';
import { recordIdOf } from './record-id.js';
import { majority, type Document, type FindReply, type Store } from './store.js';

/** The end of the log as the sequencer builds on it. */
export interface EndOfLog {
  position: number;
  /** Milliseconds since 1970. */
  created: number;
  /** Running byte count of all messages up to and including this position. */
  bytes: bigint;
  /** Tokens of the newest entries, stray ones left out: what may still stand in pending although it was appended. */
  tokens: unknown[];
}

/**
 * The newest `count` entries, by position (never by natural order) and at readConcern majority: an entry that is not
 * majority-committed can roll back, and what was built on it would be a gap or a loss.
 */
export async function readEndOfLog(store: Store, session: ClientSession, count: number): Promise<EndOfLog> {
  const reply = await store.command(
    {
      find: store.names.log,
      sort: { _id: -1 },
      limit: count,
      // Without it the server ends a batch at 101 documents.
      batchSize: count,
      singleBatch: true,
      projection: { token: 1, created: 1, bytes: 1 },
      showRecordId: true,
      readConcern: majority,
    },
    { session },
  );
  const entries = (reply as unknown as FindReply<Document>).cursor.firstBatch;
  const last = entries[0];
  if (last === undefined) return { position: 0, created: 0, bytes: 0n, tokens: [] };
  return {
    position: Number(last['_id']),
    created: (last['created'] as Date).getTime(),
    bytes: toBigInt(last['bytes'] as Int64),
    tokens: entries
      .slice(0, lengthOfRun(entries))
      .filter((entry) => entry['token'] !== undefined)
      .map((entry) => entry['token']),
  };
}

/**
 * How many of the newest entries belong to the log for certain: going down, positions fall by one and record ids fall. A
 * stray entry breaks that; its message may be nowhere else but in pending.
 */
function lengthOfRun(entries: readonly Document[]): number {
  const places = entries.map((entry) => ({ position: Number(entry['_id']), record: recordIdOf(entry) }));
  const end = places.findIndex(({ position, record }, index) => {
    const above = places[index - 1];
    return above !== undefined && (position !== above.position - 1 || record >= above.record);
  });
  return end < 0 ? entries.length : end;
}
