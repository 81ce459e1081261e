import type { Document } from 'mongodb';
import type { Connection } from 'mongoose';
import { expect } from 'vitest';

import { touchingFloor } from '../../src/store/floor.js';
import { Store } from '../../src/store/store.js';
import { range } from './orders.js';

const state = (connection: Connection) => connection.getClient().db(connection.name).collection('Outbox.state');
const log = (connection: Connection) => connection.getClient().db(connection.name).collection('Outbox');

/** The checkpoint document that a durable consumer would have after it has passed `position`, which is in the log. */
async function checkpointAt(connection: Connection, consumer: string, position: number): Promise<Document> {
  const entry = await log(connection).findOne({ _id: position as never }, { readConcern: { level: 'majority' } });
  const bytes = BigInt(String(entry?.['bytes'] ?? 0));
  return { consumer, position, bytes, epoch: 1, fence: 0 };
}

/** Registers a consumer, or moves it: everything up to the position was passed. */
export async function setCheckpoint(connection: Connection, consumer: string, position: number): Promise<void> {
  const checkpoint = await checkpointAt(connection, consumer, position);
  await state(connection).updateOne(
    { _id: `checkpoint:${consumer}` as never },
    { $set: checkpoint },
    { upsert: true, writeConcern: { w: 'majority' } },
  );
}

export async function removeCheckpoint(connection: Connection, consumer: string): Promise<void> {
  await state(connection).deleteOne({ _id: `checkpoint:${consumer}` as never }, { writeConcern: { w: 'majority' } });
}

/**
 * Registers a consumer as the library's own would: in a transaction that touches the floor, and not below it.
 * @param choose the position, given the floor's
 */
export async function register(
  connection: Connection,
  consumer: string,
  choose: (floor: number) => number = (floor) => floor,
): Promise<number> {
  return touchingFloor(new Store(connection, 'Outbox'), 10_000, async (session, floor) => {
    const position = Math.max(floor.position, choose(floor.position));
    // At the floor itself the entry may be overwritten by now.
    const at = position === floor.position ? floor : await checkpointAt(connection, consumer, position);
    const checkpoint = { consumer, position, bytes: at['bytes'] as unknown, epoch: 1, fence: 0 };
    await state(connection).insertOne({ _id: `checkpoint:${consumer}` as never, ...checkpoint }, { session });
    return position;
  });
}

export async function storedFloor(connection: Connection): Promise<Document | null> {
  return state(connection).findOne({ _id: 'floor' as never });
}

/** Whether the entry is in the log. */
export async function isThere(connection: Connection, position: number): Promise<boolean> {
  return (await log(connection).findOne({ _id: position as never }, { projection: { _id: 1 } })) !== null;
}

/** The next entries after a position, at most so many; fails where one is missing. */
export async function readOn(connection: Connection, position: number, most: number): Promise<Document[]> {
  const entries = await log(connection)
    .find({ _id: { $gt: position } as never }, { sort: { _id: 1 }, limit: most, readConcern: { level: 'majority' } })
    .toArray();
  expect(entries.map(({ _id }) => Number(_id))).toEqual(range(position + 1, entries.length));
  return entries;
}
