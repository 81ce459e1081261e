import type { ClientSession } from 'mongoose';
import type mongoose from 'mongoose';
import { exactBson, type Document, type FindReply, type Store } from './store.js';

/** A message of pending with its BSON types as they are, and its size as it was read. */
export interface PendingDocument {
  size: number;
  fields: Document;
  /** Why it could be decoded only in part: what another program wrote. */
  malformed?: string;
}

/** The oldest committed messages of pending, and the moment at which they were read. */
export interface PendingBatch {
  documents: PendingDocument[];
  /** Everything committed up to this cluster time was seen. */
  atClusterTime: mongoose.mongo.Timestamp;
}

/**
 * The first `limit` committed messages in commit-safe order. Snapshot, in a causally consistent session: it sees what
 * the session has deleted before. Never resumes from a remembered `ts`: a long transaction becomes visible late, with
 * an old one. The reply is bounded by the server at 16 MiB.
 */
export async function readPending(store: Store, session: ClientSession, limit: number): Promise<PendingBatch> {
  const reply = await store.command(
    {
      find: store.names.pending,
      sort: { ts: 1, _id: 1 },
      limit,
      // Without it the server ends a batch at 101 documents.
      batchSize: limit,
      singleBatch: true,
      readConcern: { level: 'snapshot' },
    },
    { session, ...exactBson, fieldsAsRaw: { firstBatch: true } },
  );
  const { firstBatch, atClusterTime } = (reply as unknown as FindReply<Uint8Array>).cursor;
  return {
    documents: firstBatch.map((bytes) => decode(store, bytes)),
    atClusterTime: atClusterTime as mongoose.mongo.Timestamp,
  };
}

/** The server checks neither text nor regular expressions, so one message of another program must not stop all others. */
function decode(store: Store, bytes: Uint8Array): PendingDocument {
  const { BSON } = store.mongo;
  try {
    return { size: bytes.length, fields: BSON.deserialize(bytes, exactBson) };
  } catch (error) {
    const lenient = { ...exactBson, bsonRegExp: false, validation: { utf8: false } };
    return { size: bytes.length, fields: BSON.deserialize(bytes, lenient), malformed: (error as Error).message };
  }
}
