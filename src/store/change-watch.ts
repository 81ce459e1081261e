import type mongoose from 'mongoose';
import type { CollectionRole } from '../schema/names.js';
import { cursorTimeoutMs, type Document, type Store } from './store.js';

/** A change stream that only wakes: each event is the cluster time of a change. */
export interface ChangeWatch {
  /** The next change's cluster time; rejects when the stream fails or is closed. */
  next(): Promise<mongoose.mongo.Timestamp>;
  /** Does not wait for the server: where that is dead, it would wait with it. */
  close(): void;
}

/** How long the server holds an idle change stream's request, in milliseconds. */
const maxAwaitMs = 5_000;

/** Wakes when something was inserted into pending after `since`; several inserts of a transaction share one cluster time. */
export function watchPending(store: Store, since: mongoose.mongo.Timestamp): ChangeWatch {
  return watch(store, 'pending', [{ $match: { operationType: 'insert' } }], since);
}

/** Wakes when the lease `id` was given back after `since`; renewals do not wake. */
export function watchReleases(store: Store, id: string, since: mongoose.mongo.Timestamp): ChangeWatch {
  return watch(
    store,
    'state',
    [{ $match: { 'documentKey._id': id, 'updateDescription.updatedFields.owner': { $type: 'null' } } }],
    since,
  );
}

function watch(store: Store, role: CollectionRole, match: Document[], since: mongoose.mongo.Timestamp): ChangeWatch {
  const stream = store.collection(role).watch([...match, { $project: { clusterTime: 1 } }], {
    startAtOperationTime: since,
    maxAwaitTimeMS: maxAwaitMs,
    timeoutMS: cursorTimeoutMs,
    readPreference: 'primary',
  });
  return {
    next: async () => ((await stream.next()) as { clusterTime: mongoose.mongo.Timestamp }).clusterTime,
    close: () => void stream.close().catch(() => undefined),
  };
}
