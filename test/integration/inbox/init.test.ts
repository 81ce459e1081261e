import mongoose, { type Connection } from 'mongoose';
import { describe, expect, inject, it, onTestFinished } from 'vitest';

import { startStandalone } from '../../../dev/replica-set.js';
import { Inbox } from '../../../src/index.js';
import { recordCommands } from '../../support/commands.js';
import { createConnection, freshDatabase } from '../../support/create-outbox.js';
import { createInbox, startSession } from '../../support/create-inbox.js';
import { range } from '../../support/orders.js';
import { rejection } from '../../support/payloads.js';

const minute = 60_000;

/** The TTL indexes as [key, seconds], and the type and options of the collection. */
async function described(connection: Connection, name = 'Inbox.inbox') {
  const [info] = await connection.db!.listCollections({ name }, { nameOnly: false }).toArray();
  const indexes = await connection.collection(name).indexes();
  const expiring = indexes.filter((index) => index['expireAfterSeconds'] !== undefined);
  return {
    type: info?.type,
    options: (info as { options?: object } | undefined)?.options,
    expiring: expiring.map(({ key, expireAfterSeconds }) => [key, expireAfterSeconds] as unknown),
  };
}

const ordinary = { type: 'collection', options: {} };

describe('init', () => {
  it('creates the collection and the index by which the server forgets, for 7 days by default', async () => {
    const { inbox, connection } = await createInbox();
    expect(inbox.name).toBe('Inbox');
    await Promise.all([inbox.init(), inbox.init()]);
    await inbox.init();
    expect(await described(connection)).toEqual({ ...ordinary, expiring: [[{ at: 1 }, 7 * 24 * 3600]] });
  });

  it.each([
    [minute, 60],
    [minute + 1, 61],
    [10 * 365 * 24 * 60 * minute, 315_360_000],
  ])('takes a retention of %d ms as %d s', async (retentionMs, seconds) => {
    const { inbox, connection } = await createInbox({ options: { retentionMs } });
    await inbox.init();
    expect(await described(connection)).toEqual({ ...ordinary, expiring: [[{ at: 1 }, seconds]] });
  });

  it('changes the retention of an existing inbox, and keeps its ids', async () => {
    const { inbox, connection, effect, ids } = await createInbox();
    await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    for (const retentionMs of [minute, 30 * 24 * 60 * minute]) {
      await new Inbox('Inbox', { connection, retentionMs }).init();
      expect((await described(connection)).expiring).toEqual([[{ at: 1 }, retentionMs / 1000]]);
    }
    expect(await ids()).toEqual(['m']);
  });

  it('sends no command that changes anything but the index of the same retention, where all is there', async () => {
    const { inbox, connection } = await createInbox({ connect: { monitorCommands: true } });
    await inbox.init();
    const sent = recordCommands(connection);
    await new Inbox('Inbox', { connection }).init();
    expect(sent.map(({ name }) => name)).toEqual(['listCollections', 'createIndexes', 'listIndexes']);
  });

  it('may be done by many at the same time, of different retentions too', async () => {
    const { connection } = await createInbox();
    const connections = await Promise.all(range(0, 6).map(() => createConnection({ database: connection.name })));
    await Promise.all(
      connections.map((own, index) =>
        new Inbox('Inbox', { connection: own, retentionMs: (1 + (index % 3)) * minute }).init(),
      ),
    );
    const { expiring, ...rest } = await described(connection);
    expect(rest).toEqual(ordinary);
    expect(expiring).toHaveLength(1);
    expect([60, 120, 180]).toContain((expiring[0] as [object, number])[1]);
  });

  it('reads from the primary and writes to the majority, whatever the connection says', async () => {
    const connect = { readPreference: 'secondaryPreferred', w: 1, monitorCommands: true } as const;
    const { connection } = await createInbox({ connect });
    const sent = recordCommands(connection);
    await new Inbox('Inbox', { connection }).init();
    await new Inbox('Inbox', { connection, retentionMs: minute }).init();
    expect(sent.map(({ name }) => name)).toEqual(expect.arrayContaining(['create', 'createIndexes', 'collMod']));
    for (const { name, command } of sent) {
      const { mode } = (command['$readPreference'] ?? { mode: 'primary' }) as { mode: string };
      expect(mode, name).toBe('primary');
      if (['create', 'createIndexes', 'collMod'].includes(name)) expect(command.writeConcern?.w, name).toBe('majority');
    }
  });

  it('works within the Stable API, strictly, which an outbox does not', async () => {
    const connect = { serverApi: { version: '1', strict: true } } as const;
    const { inbox, connection, effect, effects } = await createInbox({ connect });
    await new Inbox('Inbox', { connection, retentionMs: minute }).init();
    for (const _ of range(0, 2))
      await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    expect(await effects()).toEqual(['m']);
  });
});

describe('once', () => {
  it('awaits init, though the transaction began before the collection existed', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    let attempts = 0;
    await connection.transaction(async (session) => {
      attempts += 1;
      await effect('before', session)();
      await inbox.once('m', session, effect('m', session));
    });
    expect(attempts).toBe(2);
    expect(await effects()).toEqual(['before', 'm']);
    expect((await described(connection)).expiring).toHaveLength(1);
  });

  it('tries init again after it failed', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await connection.createCollection('Inbox.inbox', { capped: true, size: 4096 });
    const apply = () => connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    expect(await rejection(apply())).toMatchObject({ code: 'INBOX_UNSUITABLE' });
    await connection.dropCollection('Inbox.inbox');
    await apply();
    expect(await effects()).toEqual(['m']);
  });

  it('waits for a connection that is not open yet; a closed one is refused', async () => {
    const connection = mongoose.createConnection();
    onTestFinished(() => connection.close());
    const inbox = new Inbox('Inbox', { connection });
    const waiting = inbox.init();
    await connection.openUri(inject('mongoUri'), { dbName: freshDatabase() });
    await waiting;
    await connection.dropDatabase();
    await connection.close();
    expect(await rejection(new Inbox('Inbox', { connection }).init())).toMatchObject({ code: 'CONNECTION_CLOSED' });
    const session = await startSession(await createConnection());
    expect(await rejection(inbox.once('m', session, async () => 1))).toMatchObject({ code: 'INVALID_SESSION' });
  });
});

describe('init refuses with INBOX_UNSUITABLE, naming the collection,', () => {
  const ttl = (key: object, more: object = {}) => ({ key, name: 'at_1', expireAfterSeconds: 60, ...more });
  const withIndexes =
    (...indexes: object[]) =>
    async (on: Connection) => {
      await on.createCollection('Inbox.inbox');
      await on.db!.command({ createIndexes: 'Inbox.inbox', indexes });
    };

  it.each<[string, (on: Connection) => Promise<unknown>, string]>([
    ['a capped collection', (on) => on.createCollection('Inbox.inbox', { capped: true, size: 4096 }), 'is capped'],
    ['a view', (on) => on.createCollection('Inbox.inbox', { viewOn: 'effects', pipeline: [] }), 'is a view'],
    [
      'a time series',
      (on) => on.createCollection('Inbox.inbox', { timeseries: { timeField: 'at' } }),
      'is a timeseries',
    ],
    [
      'a collation, by which two ids could be one',
      (on) => on.createCollection('Inbox.inbox', { collation: { locale: 'en', strength: 1 } }),
      'collation',
    ],
    ['a second TTL index', withIndexes(ttl({ at: 1 }), { ...ttl({ at: -1 }), name: 'x' }), 'other TTL indexes'],
    ['the name of the index taken', withIndexes({ key: { b: 1 }, name: 'at_1' }), 'expires nothing'],
    ['a partial TTL index', withIndexes(ttl({ at: 1 }, { partialFilterExpression: { b: 1 } })), 'is partial'],
  ])('%s', async (_what, spoil, text) => {
    const { inbox, connection } = await createInbox();
    await spoil(connection);
    expect(await rejection(inbox.init())).toMatchObject({
      code: 'INBOX_UNSUITABLE',
      retryable: false,
      message: expect.stringMatching(new RegExp(`collection Inbox\\.inbox .*${text}`)) as string,
    });
  });

  it('and a standalone with NOT_A_REPLICA_SET', async () => {
    await using server = await startStandalone({ mongod: inject('mongod') });
    const connection = await createConnection({ uri: server.uri });
    expect(await rejection(new Inbox('Inbox', { connection }).init())).toMatchObject({ code: 'NOT_A_REPLICA_SET' });
    await connection.close();
  });
});
