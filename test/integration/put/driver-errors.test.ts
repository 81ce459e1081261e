import { MongoClient } from 'mongodb';
import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';

import { startReplicaSet, type ReplicaSet } from '../../../dev/replica-set.js';
import { collect, createOutbox } from '../../support/create-outbox.js';
import { failCommand, type CommandFault } from '../../support/fail-point.js';
import { numbersOf, order } from '../../support/orders.js';
import { rejection } from '../../support/payloads.js';

let set: ReplicaSet;
beforeAll(async () => {
  set = await startReplicaSet({ mongod: inject('mongod'), args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => set.stop());

async function makeOutbox() {
  const made = await createOutbox({ uri: set.uri, connect: { appName: 'service' } });
  await made.outbox.init();
  return made;
}

/** From now on, the next commands of the outbox's own connection fail. */
async function fail(fault: CommandFault, times: number): Promise<void> {
  const client = new MongoClient(set.uri);
  onTestFinished(() => client.close());
  await failCommand(client, { appName: 'service', ...fault }, { times });
}

const insert = ['insert'] as const;

describe("inside a transaction, the driver's errors pass as they are", () => {
  it.each<[string, CommandFault, string]>([
    ['a write conflict', { failCommands: insert, errorCode: 112 }, 'TransientTransactionError'],
    ['a lost connection', { failCommands: insert, closeConnection: true }, 'TransientTransactionError'],
    ['a primary that steps down', { failCommands: insert, errorCode: 11602 }, 'TransientTransactionError'],
  ])('with their labels: %s', async (_what, fault, label) => {
    const { outbox, connection } = await makeOutbox();
    const session = await connection.startSession();
    for (const message of [order(1), [order(2), order(3)]]) {
      session.startTransaction();
      await fail(fault, 1);
      const error = await rejection(
        Array.isArray(message) ? outbox.put(message, session) : outbox.put(message, session),
      );
      expect(error).toBeInstanceOf(mongoose.mongo.MongoError);
      expect((error as mongoose.mongo.MongoError).hasErrorLabel(label)).toBe(true);
      await session.abortTransaction();
    }
    await session.endSession();
    expect(await connection.collection('Outbox.pending').countDocuments()).toBe(0);
  });

  it('also one that no retry helps against', async () => {
    const { outbox, connection } = await makeOutbox();
    const session = await connection.startSession();
    session.startTransaction();
    await fail({ failCommands: insert, errorCode: 13 }, 1);
    const error = await rejection(outbox.put(order(1), session));
    expect(error).toBeInstanceOf(mongoose.mongo.MongoError);
    expect(error).toMatchObject({ code: 13 });
    await session.abortTransaction();
    await session.endSession();
  });
});

describe('withTransaction delivers a message once', () => {
  it.each<[string, CommandFault, number]>([
    ['put meets write conflicts', { failCommands: insert, errorCode: 112 }, 3],
    ['put loses its connection', { failCommands: insert, closeConnection: true }, 3],
    ['the transaction is gone when it commits', { failCommands: ['commitTransaction'], errorCode: 251 }, 2],
  ])('where %s, and the callback runs again', async (_what, fault, times) => {
    const { outbox, connection } = await makeOutbox();
    await fail(fault, times);
    let attempts = 0;
    await connection.transaction(async (session) => {
      attempts += 1;
      await outbox.put([order(1), order(2)], session);
      await outbox.put(order(3), session);
    });
    expect(attempts).toBe(times + 1);
    await outbox.put(order(4), null);
    expect(numbersOf(await collect(outbox.messages(), 4))).toEqual([1, 2, 3, 4]);
  });

  it.each<[string, CommandFault]>([
    ['the answer to the commit is lost', { failCommands: ['commitTransaction'], closeConnection: true }],
    [
      'the commit is not acknowledged by the majority in time',
      { failCommands: ['commitTransaction'], writeConcernError: { code: 64, errmsg: 'timed out' } },
    ],
  ])('where %s, and only the commit is sent again', async (_what, fault) => {
    const { outbox, connection } = await makeOutbox();
    await fail(fault, 2);
    let attempts = 0;
    await connection.transaction(async (session) => {
      attempts += 1;
      await outbox.put(order(1), session);
    });
    expect(attempts).toBe(1);
    await outbox.put(order(2), null);
    expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([1, 2]);
  });
});

it("outside a transaction, the driver's retry puts a message once", async () => {
  const { outbox } = await makeOutbox();
  await fail({ failCommands: insert, closeConnection: true }, 1);
  await outbox.put(order(1), null);
  await outbox.put(order(2), null);
  expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([1, 2]);
});
