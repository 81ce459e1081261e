import type { ClientSession } from 'mongoose';
import type mongoose from 'mongoose';
import { exactBson, type Document, type FindReply, type Store } from './store.js';

/** A message of pending with its BSON types as they are, and its size as it was read. */
export interface PendingDocument {
  size: number;
  fields: Document;
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
      singleBatch: true,
      readConcern: { level: 'snapshot' },
    },
    { session, ...exactBson, fieldsAsRaw: { firstBatch: true } },
  );
  const { firstBatch, atClusterTime } = (reply as unknown as FindReply<Uint8Array>).cursor;
  return {
    documents: firstBatch.map((bytes) => ({
      size: bytes.length,
      fields: store.mongo.BSON.deserialize(bytes, exactBson),
    })),
    atClusterTime: atClusterTime as mongoose.mongo.Timestamp,
  };
}
