import type { ClientSession } from 'mongoose';
import type { Store } from './store.js';
/** A place in the log with the running byte count there. */
export interface Mark {
  position: number;
  bytes: bigint;
}

export async function touchFloor(store: Store, session: ClientSession): Promise<Mark> {
  await store
    .collection('state')
    .updateOne(
      { _id: 'floor' as never },
      { $inc: { raised: 1 as never }, $setOnInsert: { position: 0, bytes: 0n } as never },
      { upsert: true, session },
    );
  return { position: 0, bytes: 0n };
}
