import { MongoClient } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';

import { startReplicaSet, startStandalone } from '../../../dev/replica-set.js';
import { isNewEnough } from '../../../src/store/check-server.js';
import { recordCommands } from '../../support/commands.js';
import { collect, createConnection, createOutbox } from '../../support/create-outbox.js';
import { numbersOf, order } from '../../support/orders.js';

const mongod = inject('mongod');

it('refuses a standalone server with NOT_A_REPLICA_SET, and creates nothing on it', async () => {
  await using server = await startStandalone({ mongod });
  await using client = new MongoClient(server.uri);
  const { outbox, connection } = await createOutbox({ uri: server.uri, database: 'service' });
  for (const call of [() => outbox.init(), () => outbox.put(order(1), null), () => outbox.start()])
    await expect(call()).rejects.toMatchObject({ code: 'NOT_A_REPLICA_SET', retryable: false });
  expect(await client.db('service').listCollections().toArray()).toEqual([]);
  // Before the server goes: closing a client whose server is gone takes long.
  await outbox.close();
  await connection.close();
});

it.each([
  ['4.4.29', false],
  ['4.9.0-rc1', false],
  ['3.6.23', false],
  ['', false],
  ['unknown', false],
  ['5.0.0', true],
  ['5.0.32', true],
  ['6.0.5-alpha', true],
  ['7.0.14', true],
  ['8.0.0', true],
  ['10.1.2', true],
])('takes a server of version %j: %s', (version, taken) => {
  expect(isNewEnough(version)).toBe(taken);
});

describe('a connection with the Stable API', () => {
  it('is refused with STRICT_API where it is strict', async () => {
    const { outbox } = await createOutbox({ connect: { serverApi: { version: '1', strict: true } } });
    await expect(outbox.init()).rejects.toMatchObject({ code: 'STRICT_API', retryable: false });
  });

  it('works where it is not', async () => {
    const { outbox } = await createOutbox({ connect: { serverApi: { version: '1' } } });
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });
});

it('with setup "none", a user who may only insert into pending puts, and nothing else is sent', async () => {
  await using set = await startReplicaSet({ mongod, auth: true });
  const root = await createOutbox({ uri: set.uri, database: 'service' });
  await root.outbox.init();
  const admin = root.connection.getClient().db('admin');
  await admin.command({
    createRole: 'putter',
    privileges: [{ resource: { db: 'service', collection: 'Outbox.pending' }, actions: ['insert'] }],
    roles: [],
  });
  await admin.command({ createUser: 'putter', pwd: 'p', roles: ['putter'] });
  const uri = set.uri.replace(/\/\/.*@/, '//putter:p@');
  const connect = { authSource: 'admin', monitorCommands: true };

  const { outbox, connection } = await createOutbox({ uri, database: 'service', connect, options: { setup: 'none' } });
  const sent = recordCommands(connection);
  await outbox.init();
  expect(sent).toEqual([]);
  await connection.transaction(async (session) => {
    await outbox.put(order(1), session);
    await outbox.put([order(2), order(3)], session);
  });
  await outbox.put(order(4), null);
  expect(sent.map(({ name }) => name)).toEqual(['insert', 'insert', 'commitTransaction', 'insert']);
  expect(numbersOf(await collect(root.outbox.messages(), 4))).toEqual([1, 2, 3, 4]);

  // The same user is told by the server what it may not do, as it is.
  const checked = await createOutbox({ connection, name: 'Other', options: { setup: 'check' } });
  await expect(checked.outbox.init()).rejects.toMatchObject({ name: 'MongoServerError', code: 13 });
  await expect(outbox.status()).rejects.toMatchObject({ name: 'MongoServerError', code: 13 });

  for (const each of [root, checked, { outbox, connection }]) await each.outbox.close();
  for (const each of [root.connection, connection]) await each.close();
});

it('with setup "check", a user who may read the log and put needs no right to create', async () => {
  await using set = await startReplicaSet({ mongod, auth: true });
  const root = await createOutbox({ uri: set.uri, database: 'service' });
  await root.outbox.init();
  const admin = root.connection.getClient().db('admin');
  const on = (collection: string, ...actions: string[]) => ({ resource: { db: 'service', collection }, actions });
  const reading = ['find', 'collStats', 'listIndexes'];
  await admin.command({
    createRole: 'worker',
    privileges: [
      on('', 'listCollections'),
      on('Outbox', ...reading, 'insert', 'remove'),
      on('Outbox.pending', ...reading, 'insert', 'remove', 'changeStream'),
      on('Outbox.state', ...reading, 'insert', 'update', 'changeStream'),
      on('Outbox.failures', ...reading, 'insert'),
    ],
    roles: [],
  });
  await admin.command({ createUser: 'worker', pwd: 'p', roles: ['worker'] });
  const uri = set.uri.replace(/\/\/.*@/, '//worker:p@');
  const errors: unknown[] = [];
  const connection = await createConnection({ uri, database: 'service', connect: { authSource: 'admin' } });
  const { outbox } = await createOutbox({ connection, options: { setup: 'check' } });
  outbox.on('error', ({ error }) => errors.push(error));
  await connection.transaction(async (session) => void (await outbox.put(order(1), session)));
  expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  expect((await outbox.status()).log.last).toBe(1);
  expect(errors).toEqual([]);

  for (const each of [root.outbox, outbox]) await each.close();
  for (const each of [root.connection, connection]) await each.close();
});
