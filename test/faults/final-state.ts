import { MongoClient } from 'mongodb';

import type { FinalState } from './history/records.js';
import { CONSUMERS } from './processes/consumers.js';
import { OUTBOX, PROJECTION, STATE } from './processes/context.js';

/** Reads what is stored, past the library. */
export async function readFinalState(uri: string, database: string): Promise<FinalState> {
  const client = new MongoClient(uri, { readConcern: { level: 'majority' }, readPreference: 'primary' });
  try {
    const db = client.db(database);
    const uidsOf = (collection: string) =>
      db.collection(collection).find({}, { projection: { 'data.uid': 1, uid: 1 } });
    const end = async (direction: 1 | -1): Promise<number> =>
      Number(
        (
          await db
            .collection(OUTBOX)
            .find({ type: { $exists: true } })
            .sort({ _id: direction })
            .limit(1)
            .next()
        )?._id ?? 0,
      );
    const dead = await db.collection(`${OUTBOX}.failures`).find({ state: 'dead' }).toArray();
    const projected = await uidsOf(PROJECTION)
      .map((document) => String(document['uid']))
      .toArray();
    return {
      committed: await db
        .collection(STATE)
        .find({}, { projection: { _id: 1 } })
        .map(({ _id }) => String(_id))
        .toArray(),
      pending: await uidsOf(`${OUTBOX}.pending`)
        .map(({ data }) => String((data as { uid: string }).uid))
        .toArray(),
      first: await end(1),
      last: await end(-1),
      consumers: Object.entries(CONSUMERS).map(([name, { kind, options }]) => ({
        name,
        kind,
        order: options.order,
        batchSize: options.batchSize,
        from: 0,
        ...('types' in options ? { types: options.types } : {}),
        dead: dead.filter(({ consumer }) => consumer === name).map(({ position }) => Number(position)),
        ...(kind === 'transactional' ? { projected } : {}),
      })),
    };
  } finally {
    await client.close();
  }
}
