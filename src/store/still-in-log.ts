import type { ClientSession } from 'mongoose';
import { majority, type Document, type FindReply, type Store } from './store.js';

/**
 * Whether what was appended after `position` belongs to the log. An append that arrives after its place has been
 * overwritten is a stray entry, where no reader looks: then the entry before it is gone. (One append takes a quarter of the
 * log at most, so it does not overwrite that one itself.)
 */
export async function isStillInLog(store: Store, session: ClientSession, position: number): Promise<boolean> {
  // Before the first message there is only the genesis entry, if any: nothing else may have been inserted before it.
  const what = position === 0 ? { sort: { $natural: 1 } } : { filter: { _id: position } };
  const reply = await store.command(
    { find: store.names.log, ...what, limit: 1, singleBatch: true, projection: { _id: 1 }, readConcern: majority },
    { session },
  );
  const [entry] = (reply as unknown as FindReply<Document>).cursor.firstBatch;
  return entry !== undefined && Number(entry['_id']) <= position + 1;
}
