import type mongoose from 'mongoose';
import type { CollectionRole } from '../schema/names.js';
import { cursorTimeoutMs, type Document, type Store } from './store.js';

/** A change: its cluster time and, where the stream tells them apart, the document's `_id`. */
export interface Change {
  at: mongoose.mongo.Timestamp;
  id: string | undefined;
}

/** A change stream that only wakes. */
export interface ChangeWatch {
  /** The next change; rejects when the stream fails or is closed. */
  next(): Promise<Change>;
  /** Does not wait for the server: where that is dead, it would wait with it. */
  close(): void;
}

/** How long the server holds an idle change stream's request, in milliseconds. */
const maxAwaitMs = 5_000;

/** Wakes when something was inserted into pending after `since`; several inserts of a transaction share one cluster time. */
export function watchPending(store: Store, since: mongoose.mongo.Timestamp): ChangeWatch {
  return watch(store, 'pending', [{ $match: { operationType: 'insert' } }], since);
}

/** Wakes when a lease may have become free after `since`; renewals do not wake. */
export function watchReleases(store: Store, since: mongoose.mongo.Timestamp): ChangeWatch {
  return watch(store, 'state', [{ $match: { 'updateDescription.updatedFields.freed': { $exists: true } } }], since);
}

function watch(store: Store, role: CollectionRole, match: Document[], since: mongoose.mongo.Timestamp): ChangeWatch {
  const stream = store.collection(role).watch([...match, { $project: { clusterTime: 1, 'documentKey._id': 1 } }], {
    startAtOperationTime: since,
    maxAwaitTimeMS: maxAwaitMs,
    timeoutMS: cursorTimeoutMs,
    readPreference: 'primary',
  });
  return {
    next: async () => {
      const { clusterTime, documentKey } = (await stream.next()) as {
        clusterTime: mongoose.mongo.Timestamp;
        documentKey?: { _id: unknown };
      };
      const id = documentKey?._id;
      return { at: clusterTime, id: typeof id === 'string' ? id : undefined };
    },
    close: () => void stream.close().catch(() => undefined),
  };
}
