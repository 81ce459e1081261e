import { BSON, Long, ObjectId, Timestamp, type Collection, type Document } from 'mongodb';
import type { Connection } from 'mongoose';

import { exactBson } from '../../src/store/store.js';

/** The driver's collection, beside the library, with BSON types kept apart. */
export function exactCollection(connection: Connection, name: string): Collection<Document> {
  const client = connection.getClient();
  return client.db(connection.name).collection(name, { ...exactBson, ignoreUndefined: false });
}

/** Entries of the log in order of position, without the genesis entry. */
export async function readEntries(connection: Connection, name = 'Outbox'): Promise<Document[]> {
  const entries = await exactCollection(connection, name)
    .find({ _id: { $gt: 0 } as never }, { sort: { _id: 1 }, raw: true })
    .toArray();
  // Decoded here: asked of the driver, bigints would break it at an election (see plainBson).
  return entries.map((entry) => BSON.deserialize(entry as unknown as Uint8Array, { useBigInt64: true }));
}

/** A message as another program would put it into pending, past the library. */
export function foreign(fields: Document): Document {
  return { _id: new ObjectId(), ts: new Timestamp({ t: 0, i: 0 }), ...fields };
}

/** An entry as a sequencer would write it to the log. */
export function entryAt(position: number, fields: Document = {}): Document {
  return {
    _id: position,
    token: new ObjectId(),
    created: new Date(),
    epoch: 1,
    bytes: Long.fromNumber(position * 200),
    type: 'order_created',
    data: { ordernr: -position },
    ...fields,
  };
}

export const bsonSize = (document: Document): number => BSON.serialize(document, { ignoreUndefined: false }).length;
