import mongoose from 'mongoose';

import { message, open, quantile } from './setup.js';

const writers = 16;
const roundMs = 1_500;
const pairsOfRounds = 6;

export interface PutRatio {
  putPerSecond: number;
  plainPerSecond: number;
  ratio: number;
}

/**
 * Transactions of 16 concurrent writers, each writing an order and one message: by put, and by the plain driver's insert
 * of the same document into a collection with the same index. Rounds take turns, so that drift meets both alike.
 */
export async function putRatio(uri: string): Promise<PutRatio> {
  const { outbox, connection, close } = await open(uri, `put_ratio_${Date.now()}`, { sequencer: false });
  const db = connection.getClient().db(connection.name);
  const orders = db.collection('orders');
  const plain = db.collection('plain');
  await plain.createIndex({ ts: 1, _id: 1 });
  await orders.insertOne({ ordernr: -1 });
  const { ObjectId, Timestamp } = mongoose.mongo;

  const round = async (write: (nr: number, session: mongoose.ClientSession) => Promise<unknown>) => {
    const end = performance.now() + roundMs;
    const started = performance.now();
    let done = 0;
    await Promise.all(
      Array.from({ length: writers }, async () => {
        while (performance.now() < end) {
          await connection.transaction(async (session) => {
            await orders.insertOne({ ordernr: done }, { session });
            await write(done, session);
          });
          done += 1;
        }
      }),
    );
    return (done / (performance.now() - started)) * 1_000;
  };
  const byPut = () => round((nr, session) => outbox.put(message(nr), session));
  const byDriver = () =>
    round((nr, session) =>
      plain.insertOne({ _id: new ObjectId(), ts: new Timestamp({ t: 0, i: 0 }), ...message(nr) }, { session }),
    );

  await byPut();
  await byDriver();
  const put: number[] = [];
  const driver: number[] = [];
  for (let pair = 0; pair < pairsOfRounds; pair += 1) {
    const order = pair % 2 === 0 ? [byPut, byDriver] : [byDriver, byPut];
    for (const run of order) (run === byPut ? put : driver).push(await run());
  }
  await outbox.close();
  await connection.dropDatabase();
  await close();
  const ratios = put.map((perSecond, index) => perSecond / (driver[index] as number));
  return {
    putPerSecond: Math.round(quantile(put, 0.5)),
    plainPerSecond: Math.round(quantile(driver, 0.5)),
    ratio: quantile(ratios, 0.5),
  };
}
