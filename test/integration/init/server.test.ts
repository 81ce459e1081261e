import { MongoClient } from 'mongodb';
import type { Connection } from 'mongoose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { startReplicaSet, startStandalone, type ReplicaSet } from '../../../dev/replica-set.js';
import { isNewEnough } from '../../../src/store/check-server.js';
import { recordCommands } from '../../support/commands.js';
import { collect, createOutbox } from '../../support/create-outbox.js';
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

describe('a user with few rights', () => {
  let set: ReplicaSet;
  beforeAll(async () => {
    set = await startReplicaSet({ mongod, auth: true });
  });
  afterAll(() => set.stop());

  type Rights = Record<string, readonly string[]>;

  /** Makes a user who may do this with these collections of the outbox's database. Returns his URI. */
  async function userWith(connection: Connection, name: string, rights: Rights): Promise<string> {
    const admin = connection.getClient().db('admin');
    const privileges = Object.entries(rights).map(([collection, actions]) => ({
      resource: { db: connection.name, collection },
      actions,
    }));
    await admin.command({ createRole: name, privileges, roles: [] });
    await admin.command({ createUser: name, pwd: 'p', roles: [name] });
    return set.uri.replace(/\/\/.*@/, `//${name}:p@`);
  }

  it('puts with setup "none" though he may only insert into pending, and sends nothing else', async () => {
    const root = await createOutbox({ uri: set.uri });
    await root.outbox.init();
    const uri = await userWith(root.connection, 'putter', { 'Outbox.pending': ['insert'] });
    const { outbox, connection } = await createOutbox({
      uri,
      database: root.database,
      connect: { authSource: 'admin', monitorCommands: true },
      options: { setup: 'none' },
    });
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

    // What he may not do, the server tells as it is.
    const checked = await createOutbox({ connection, name: 'Other', options: { setup: 'check' } });
    await expect(checked.outbox.init()).rejects.toMatchObject({ name: 'MongoServerError', code: 13 });
    await expect(outbox.status()).rejects.toMatchObject({ name: 'MongoServerError', code: 13 });
  });

  it('sequences and reads with setup "check", without a right to create', async () => {
    const root = await createOutbox({ uri: set.uri });
    await root.outbox.init();
    const reading = ['find', 'collStats', 'listIndexes'];
    const uri = await userWith(root.connection, 'worker', {
      '': ['listCollections'],
      Outbox: [...reading, 'insert', 'remove'],
      'Outbox.pending': [...reading, 'insert', 'remove', 'changeStream'],
      'Outbox.state': [...reading, 'insert', 'update', 'changeStream'],
      'Outbox.failures': [...reading, 'insert'],
    });
    const { outbox, connection } = await createOutbox({
      uri,
      database: root.database,
      connect: { authSource: 'admin' },
      options: { setup: 'check' },
    });
    const errors: unknown[] = [];
    outbox.on('error', ({ error }) => errors.push(error));
    await connection.transaction(async (session) => void (await outbox.put(order(1), session)));
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect((await outbox.status()).log.last).toBe(1);
    expect(errors).toEqual([]);
  });
});
