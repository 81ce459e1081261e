import mongoose from 'mongoose';

import { message, open, type Opened } from './setup.js';

/** Fills a log with entries of the sequencer's form, by the plain driver: moving so many through it takes a minute. */
export async function fillLog(uri: string, database: string, entries: number): Promise<Opened> {
  const opened = await open(uri, database, { sizeBytes: 1024 * 1024 * 1024 });
  const log = opened.connection.getClient().db(database).collection('bench');
  const batch = 5_000;
  let bytes = 0n;
  for (let first = 1; first <= entries; first += batch) {
    const documents = Array.from({ length: Math.min(batch, entries - first + 1) }, (_, index) => {
      const entry = { _id: first + index, token: new mongoose.mongo.ObjectId(), created: new Date(), epoch: 1 };
      bytes += 300n;
      return { ...entry, bytes, ...message(first + index), ...(index === batch - 1 ? { last: true } : {}) };
    });
    await log.insertMany(documents as never[], { ordered: true });
  }
  return opened;
}

/** Milliseconds until a tail of the newest entries delivers its first message. */
export async function tailStart({ outbox }: Opened, entries: number): Promise<number> {
  const started = performance.now();
  for await (const { position } of outbox.messages(entries - 10)) {
    if (position !== entries - 9) throw new Error(`expected position ${entries - 9}, got ${position}`);
    break;
  }
  return performance.now() - started;
}

export interface ReaderMemory {
  messages: number;
  perSecond: number;
  /** Heap in use after a collection, in MiB, at each tenth of the run. */
  heapMiB: number[];
}

/** Memory while a consumer that pauses now and then takes every message of the log. */
export async function readerMemory({ outbox }: Opened, entries: number): Promise<ReaderMemory> {
  const heapMiB: number[] = [];
  const started = performance.now();
  let taken = 0;
  for await (const { position } of outbox.messages('beginning', { live: false })) {
    taken += 1;
    if (taken % 1_000 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (position % (entries / 10) === 0) {
      globalThis.gc?.();
      heapMiB.push(Math.round((process.memoryUsage().heapUsed / 1024 / 1024) * 10) / 10);
    }
  }
  return { messages: taken, perSecond: Math.round((taken / (performance.now() - started)) * 1_000), heapMiB };
}
