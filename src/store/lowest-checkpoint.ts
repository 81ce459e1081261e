import type { ClientSession } from 'mongoose';
import { toMark, type LogMark } from './log-marks.js';
import type { Store } from './store.js';

/** A registered consumer and what it has passed: everything up to and including the position. */
export interface Checkpoint extends LogMark {
  consumer: string;
}

/** The `_id`s of all checkpoints: `checkpoint:` and the consumer's name, so an index range. `;` follows `:`. */
const checkpointIds = { $gte: 'checkpoint:', $lt: 'checkpoint;' };

/** The consumer that has passed least; undefined when none is registered. */
export async function lowestCheckpoint(store: Store, session?: ClientSession): Promise<Checkpoint | undefined> {
  const checkpoint = await store.collection('state').findOne(
    { _id: checkpointIds as never },
    {
      sort: { position: 1, _id: 1 },
      projection: { consumer: 1, position: 1, bytes: 1 },
      ...(session === undefined ? {} : { session }),
    },
  );
  return checkpoint === null ? undefined : { consumer: String(checkpoint['consumer']), ...toMark(checkpoint) };
}
