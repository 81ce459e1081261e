import mongoose from 'mongoose';

import { message } from './setup.js';

const messages = 50_000;
const batch = 1_000;

/**
 * Entries per second that the plain driver appends to a capped collection, one majority insert of a thousand after
 * another with nothing else going on: what end to end can't exceed on this machine.
 */
export async function plainAppend(uri: string): Promise<number> {
  const connection = await mongoose.createConnection(uri, { dbName: `append_${Date.now()}` }).asPromise();
  const db = connection.getClient().db(connection.name);
  const log = await db.createCollection('plain', { capped: true, size: 256 * 1024 * 1024 });
  const { ObjectId } = mongoose.mongo;
  const round = async (from: number) => {
    const started = performance.now();
    for (let first = from; first < from + messages; first += batch) {
      const entries = Array.from({ length: batch }, (_, index) => ({
        ...{ _id: first + index, token: new ObjectId(), created: new Date(), epoch: 1, bytes: BigInt(first) },
        ...message(first + index),
      }));
      await log.insertMany(entries as never[], { ordered: true, writeConcern: { w: 'majority' } });
    }
    return (messages / (performance.now() - started)) * 1_000;
  };
  await round(0);
  const perSecond = await round(messages);
  await connection.dropDatabase();
  await connection.close();
  return Math.round(perSecond);
}
