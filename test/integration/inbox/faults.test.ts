import mongoose from 'mongoose';
import { expect, it, onTestFinished } from 'vitest';

import { MongoClient } from 'mongodb';
import { waitFor } from '../../support/create-outbox.js';
import { createInbox, startSession } from '../../support/create-inbox.js';
import { failCommand, type CommandFault } from '../../support/fail-point.js';
import { runInboxChild } from '../../support/inbox-child.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { rejection } from '../../support/payloads.js';

const lifetimeS = 1;
const server = ownServer({
  args: [
    // What a killed process has locked stays locked for so long; a minute by default.
    ...['--setParameter', `transactionLifetimeLimitSeconds=${lifetimeS}`],
    ...['--setParameter', 'ttlMonitorSleepSecs=1'],
  ],
});

async function makeInbox() {
  const made = await createInbox({ uri: server.uri, connect: { appName: 'service' } });
  await made.inbox.init();
  return made;
}

/** From now on, the next commands of the inbox's own connection fail. */
async function fail(fault: CommandFault, times = 1): Promise<void> {
  const client = new MongoClient(server.uri);
  onTestFinished(() => client.close());
  await failCommand(client, { appName: 'service', ...fault }, { times });
}

it.each<[string, CommandFault, number | undefined]>([
  ['a write conflict', { failCommands: ['update'], errorCode: 112 }, 112],
  ['a lost connection', { failCommands: ['update'], closeConnection: true }, undefined],
  ['a primary that steps down', { failCommands: ['update'], errorCode: 11602 }, 11602],
])('%s passes as the driver has it, and withTransaction applies the message once', async (_what, fault, code) => {
  const { inbox, connection, effect, effects } = await makeInbox();
  const session = await startSession(connection);
  session.startTransaction();
  await fail(fault);
  const error = await rejection(inbox.once('m', session, effect('m', session)));
  expect(error).toBeInstanceOf(mongoose.mongo.MongoError);
  expect((error as mongoose.mongo.MongoError).hasErrorLabel('TransientTransactionError')).toBe(true);
  expect(error).toMatchObject(code === undefined ? {} : { code });
  await session.abortTransaction();

  await fail(fault, 2);
  let attempts = 0;
  await connection.transaction((own) => {
    attempts += 1;
    return inbox.once('m', own, effect('m', own));
  });
  expect(attempts).toBe(3);
  expect(await effects()).toEqual(['m']);
});

it('an error that no retry helps against passes too', async () => {
  const { inbox, connection, effect } = await makeInbox();
  const session = await startSession(connection);
  session.startTransaction();
  await fail({ failCommands: ['update'], errorCode: 13 });
  expect(await rejection(inbox.once('m', session, effect('m', session)))).toMatchObject({ code: 13 });
  await session.abortTransaction();
});

it("an error of the driver inside work passes as it is, also where the id can't be taken out any more", async () => {
  const { inbox, connection, effect, effects, ids } = await makeInbox();
  await fail({ failCommands: ['insert'], errorCode: 112 }, 2);
  let attempts = 0;
  await connection.transaction((session) => {
    attempts += 1;
    return inbox.once('m', session, effect('m', session));
  });
  expect(attempts).toBe(3);
  expect([await effects(), await ids()]).toEqual([['m'], ['m']]);
});

it('a commit whose answer is lost is sent again, and the message applied once', async () => {
  const { inbox, connection, effect, effects } = await makeInbox();
  await fail({ failCommands: ['commitTransaction'], closeConnection: true }, 2);
  let attempts = 0;
  await connection.transaction((session) => {
    attempts += 1;
    return inbox.once('m', session, effect('m', session));
  });
  expect(attempts).toBe(1);
  expect(await effects()).toEqual(['m']);
});

it('the server forgets an id when it is older than the retention, and none before', async () => {
  const { inbox, connection, effect, effects, ids } = await makeInbox();
  const apply = (id: string) => connection.transaction((session) => inbox.once(id, session, effect(id, session)));
  for (const id of ['old', 'young']) await apply(id);
  const dayMs = 24 * 60 * 60 * 1000;
  const collection = connection.collection<{ _id: string }>('Inbox.inbox');
  for (const [_id, days] of [
    ['old', 7],
    ['young', 6.9],
  ] as const)
    await collection.updateOne({ _id }, { $set: { at: new Date(Date.now() - days * dayMs) } });
  await waitFor(async () => !(await ids()).includes('old'));
  for (const id of ['old', 'young']) await apply(id);
  expect(await effects()).toEqual(['old', 'old', 'young']);
});

it('a process killed (kill -9) at any moment leaves no id without its effects, and no effects without their id', async () => {
  const { connection, ids } = await makeInbox();
  const messages = 20;
  const setup = { uri: server.uri, database: connection.name, messages };
  const collection = connection.collection<{ id: string; part: number }>('effects');
  /** The parts of every message that has any, as [id, part, part …]. */
  const applied = async () => {
    const parts = new Map<string, number[]>();
    for (const { id, part } of await collection.find().sort({ id: 1, part: 1 }).toArray())
      parts.set(id, [...(parts.get(id) ?? []), part]);
    return [...parts];
  };
  // Of the four reports of a message three are sent inside its work: at the begin, half done, done.
  for (const killAt of [1, 2, 3, 4, ...range(0, 3).map(() => 1 + Math.floor(Math.random() * 20))]) {
    // Standing still, it dies just there; else at some moment after.
    const standAt = killAt <= 4 ? killAt : undefined;
    expect(await runInboxChild({ ...setup, ...(standAt === undefined ? {} : { standAt }) }, killAt)).toBe(false);
    expect(await applied()).toEqual((await ids()).map((id) => [id, [1, 2]]));
  }
  expect(await runInboxChild(setup)).toBe(true);
  expect(await applied()).toEqual((await ids()).map((id) => [id, [1, 2]]));
  expect(await ids()).toHaveLength(messages);
}, 120_000);
