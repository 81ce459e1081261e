import type { ClientSession } from 'mongoose';
import { recordIdOf } from './record-id.js';
import { majority, type Document, type FindReply, type Store } from './store.js';

/**
 * Whether what was appended up to `last` belongs to the log. An append that arrives after its place has been overwritten
 * is a stray entry, where no reader looks: it was inserted after its successor, or its successor is gone before it. One
 * that is not there any more has been overwritten since, in its turn.
 */
export async function isStillInLog(store: Store, session: ClientSession, last: number): Promise<boolean> {
  const reply = await store.command(
    {
      find: store.names.log,
      filter: { _id: { $gte: last } },
      sort: { _id: 1 },
      limit: 2,
      singleBatch: true,
      projection: { _id: 1 },
      showRecordId: true,
      readConcern: majority,
    },
    { session },
  );
  const [own, next] = (reply as unknown as FindReply<Document>).cursor.firstBatch;
  if (own === undefined) return false;
  if (next === undefined || Number(own['_id']) > last) return true;
  return Number(next['_id']) === last + 1 && recordIdOf(next) > recordIdOf(own);
}
