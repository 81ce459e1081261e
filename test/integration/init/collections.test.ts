import type { Connection } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { recordCommands } from '../../support/commands.js';
import { collect, createConnection, createOutbox } from '../../support/create-outbox.js';
import { numbersOf, order, range } from '../../support/orders.js';

const MiB = 1024 * 1024;
const creating = ['create', 'createIndexes', 'insert', 'update', 'delete', 'drop', 'collMod', 'findAndModify'];

/** The collections with their options, and the indexes of pending. */
async function described(connection: Connection): Promise<Record<string, unknown>> {
  const infos = await connection.getClient().db(connection.name).listCollections({}, { nameOnly: false }).toArray();
  const collections = Object.fromEntries(infos.map(({ name, type, options }) => [name, { type, options }] as const));
  const indexes = await connection.collection('Outbox.pending').indexes();
  return { ...collections, indexes: indexes.map(({ key }) => key as unknown) };
}

describe('setup "create"', () => {
  it('creates the capped log with its genesis entry, and pending with its index, state and failures', async () => {
    const { outbox, connection } = await createOutbox({ options: { sizeBytes: 2 * MiB, maxMessages: 500 } });
    await outbox.init();
    expect(await described(connection)).toEqual({
      Outbox: { type: 'collection', options: { capped: true, size: 2 * MiB, max: 500 } },
      'Outbox.pending': { type: 'collection', options: {} },
      'Outbox.state': { type: 'collection', options: {} },
      'Outbox.failures': { type: 'collection', options: {} },
      indexes: [{ _id: 1 }, { ts: 1, _id: 1 }],
    });
    expect(await connection.collection('Outbox').find().toArray()).toMatchObject([{ _id: 0, created: new Date(0) }]);
    expect((await outbox.status()).log).toMatchObject({
      first: 0,
      last: 0,
      entries: 0,
      sizeBytes: 2 * MiB,
      maxMessages: 500,
    });
  });

  it('changes nothing where everything is there, with messages in it', async () => {
    const first = await createOutbox();
    await first.outbox.put([order(1), order(2)], null);
    expect(numbersOf(await collect(first.outbox.messages(), 2))).toEqual([1, 2]);
    await first.outbox.put(order(3), null);
    await first.outbox.close();
    const before = await described(first.connection);

    const { outbox, connection } = await createOutbox({ database: first.database, options: { sizeBytes: 2 * MiB } });
    await outbox.init();
    expect(await described(connection)).toEqual(before);
    expect(numbersOf(await collect(outbox.messages(), 3))).toEqual([1, 2, 3]);
  });

  it('creates what is missing beside what is there', async () => {
    const first = await createOutbox();
    await first.outbox.init();
    const before = await described(first.connection);
    await first.outbox.close();
    await first.connection.dropCollection('Outbox.state');
    await first.connection.collection('Outbox.pending').dropIndexes();
    const { outbox, connection } = await createOutbox({ database: first.database });
    await outbox.init();
    expect(await described(connection)).toEqual(before);
  });

  it('may be done by many at the same time', async () => {
    const connection = await createConnection();
    const outboxes = await Promise.all(
      range(0, 6).map(
        async () => (await createOutbox({ connection: await createConnection({ database: connection.name }) })).outbox,
      ),
    );
    await Promise.all(outboxes.map((outbox) => outbox.init()));
    expect(await connection.collection('Outbox').countDocuments()).toBe(1);
    await Promise.all(outboxes.map((outbox, index) => outbox.put(order(index), null)));
    for (const outbox of outboxes) expect(numbersOf(await collect(outbox.messages(), 6)).sort()).toEqual(range(0, 6));
  });

  it('takes a log of more than 2 GiB', async () => {
    const sizeBytes = 5 * 1024 * MiB;
    const { outbox } = await createOutbox({ options: { sizeBytes } });
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    expect((await outbox.status()).log).toMatchObject({ sizeBytes, maxMessages: null });
  });

  it('keeps the cap of an existing log, and says so in the status', async () => {
    const connection = await createConnection();
    await connection.createCollection('Outbox', { capped: true, size: 3 * MiB, max: 200 });
    const { outbox } = await createOutbox({ connection, options: { sizeBytes: 50 * MiB, maxMessages: 10_000 } });
    await outbox.put(order(1), null);
    expect((await outbox.status()).log).toMatchObject({ sizeBytes: 3 * MiB, maxMessages: 200 });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });
});

describe('refuses', () => {
  it.each<[string, string, (connection: Connection) => Promise<unknown>]>([
    ['a log that is not capped', 'LOG_NOT_CAPPED', (on) => on.createCollection('Outbox')],
    [
      'a log that is a view',
      'LOG_NOT_CAPPED',
      (on) => on.createCollection('Outbox', { viewOn: 'other', pipeline: [] }),
    ],
    [
      'a pending that is capped',
      'PENDING_UNSUITABLE',
      (on) => on.createCollection('Outbox.pending', { capped: true, size: MiB }),
    ],
    [
      'a pending that is a view',
      'PENDING_UNSUITABLE',
      (on) => on.createCollection('Outbox.pending', { viewOn: 'other', pipeline: [] }),
    ],
    [
      'a pending that is a time series',
      'PENDING_UNSUITABLE',
      (on) => on.createCollection('Outbox.pending', { timeseries: { timeField: 't' } }),
    ],
  ])('%s, naming it', async (_what, code, create) => {
    for (const setup of ['create', 'check'] as const) {
      const { outbox, connection } = await createOutbox({ options: { setup } });
      if (setup === 'check') {
        const creator = await createOutbox({ connection: await createConnection({ database: connection.name }) });
        await creator.outbox.init();
        await creator.outbox.close();
        await connection.dropCollection(code === 'LOG_NOT_CAPPED' ? 'Outbox' : 'Outbox.pending');
      }
      await create(connection);
      const named = code === 'LOG_NOT_CAPPED' ? 'collection Outbox ' : 'collection Outbox.pending ';
      await expect(outbox.init()).rejects.toMatchObject({
        code,
        retryable: false,
        message: expect.stringContaining(named) as string,
      });
    }
  });
});

describe('setup "check"', () => {
  it('where nothing is there says NOT_SET_UP, naming what is missing, and creates nothing', async () => {
    const { outbox, connection } = await createOutbox({
      options: { setup: 'check' },
      connect: { monitorCommands: true },
    });
    const sent = recordCommands(connection);
    await expect(outbox.init()).rejects.toMatchObject({
      code: 'NOT_SET_UP',
      retryable: false,
      message: expect.stringMatching(/Outbox, Outbox\.pending, Outbox\.state, Outbox\.failures/) as string,
    });
    await expect(outbox.put(order(1), null)).rejects.toMatchObject({ code: 'NOT_SET_UP' });
    expect(sent.filter(({ name }) => creating.includes(name))).toEqual([]);
    expect(await connection.listCollections()).toEqual([]);
  });

  it.each<[string, string, (connection: Connection) => Promise<unknown>]>([
    ['a collection', 'Outbox.failures', (on) => on.dropCollection('Outbox.failures')],
    ['the index of pending', '{ ts: 1, _id: 1 }', (on) => on.collection('Outbox.pending').dropIndexes()],
    [
      'the genesis entry',
      'genesis',
      async (on) => {
        await on.dropCollection('Outbox');
        await on.createCollection('Outbox', { capped: true, size: MiB });
      },
    ],
  ])('where %s is missing says NOT_SET_UP, naming it', async (_what, named, spoil) => {
    const creator = await createOutbox();
    await creator.outbox.init();
    await creator.outbox.close();
    await spoil(creator.connection);
    const { outbox } = await createOutbox({ connection: creator.connection, options: { setup: 'check' } });
    await expect(outbox.init()).rejects.toMatchObject({
      code: 'NOT_SET_UP',
      message: expect.stringContaining(named) as string,
    });
    await creator.outbox.close();
  });

  it('where everything is there works, and creates nothing', async () => {
    const creator = await createOutbox();
    await creator.outbox.init();
    const connect = { monitorCommands: true };
    const { outbox, connection } = await createOutbox({
      database: creator.database,
      options: { setup: 'check' },
      connect,
    });
    const sent = recordCommands(connection);
    await outbox.init();
    expect(sent.filter(({ name }) => creating.includes(name))).toEqual([]);
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });
});

describe('setup "none"', () => {
  it('sends nothing, and puts once the collections are there', async () => {
    const { outbox, connection } = await createOutbox({
      options: { setup: 'none' },
      connect: { monitorCommands: true },
    });
    const sent = recordCommands(connection);
    await outbox.init();
    expect(sent).toEqual([]);
    const creator = await createOutbox({ database: connection.name });
    await creator.outbox.init();
    await outbox.put(order(1), null);
    expect(sent.map(({ name }) => name)).toEqual(['insert']);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });
});
