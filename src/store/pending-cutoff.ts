import type mongoose from 'mongoose';
import type { Store } from './store.js';

type Timestamp = mongoose.mongo.Timestamp;

/** A cluster time that is not before anything that has been committed by now. */
export async function readClusterTime(store: Store): Promise<Timestamp> {
  const session = store.session();
  try {
    await store.collection('pending').findOne({}, { projection: { _id: 1 }, session });
    return session.operationTime as Timestamp;
  } finally {
    void session.endSession().catch(() => undefined);
  }
}

/** Whether something that was put up to this cluster time is still pending. */
export async function hasPending(store: Store, upTo: Timestamp): Promise<boolean> {
  const found = await store.collection('pending').findOne({ ts: { $lte: upTo } }, { projection: { _id: 1 } });
  return found !== null;
}
