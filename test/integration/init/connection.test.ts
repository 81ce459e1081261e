import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';

import mongoose, { type Connection } from 'mongoose';
import { describe, expect, inject, it, onTestFinished } from 'vitest';

import { recordCommands } from '../../support/commands.js';
import { collect, createConnection, createOutbox, freshDatabase } from '../../support/create-outbox.js';
import { numbersOf, order } from '../../support/orders.js';
import { rejection } from '../../support/payloads.js';

const uri = inject('mongoUri');

/** A connection that nobody has opened yet; closed, and its database dropped, when the test has finished. */
function unopened(bufferTimeoutMS = 10_000): Connection {
  const base = new mongoose.Mongoose();
  base.set('bufferTimeoutMS', bufferTimeoutMS);
  const connection = base.createConnection();
  onTestFinished(async () => {
    if (connection.readyState === mongoose.ConnectionStates.connected) await connection.dropDatabase();
    await connection.close();
  });
  return connection;
}

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a connection that is not open', () => {
  it('yet is waited for, by every call', async () => {
    const connection = unopened();
    const { outbox } = await createOutbox({ connection });
    const calls = [outbox.init(), outbox.put(order(1), null), outbox.start(), outbox.status()];
    const first = collect(outbox.messages(), 1);
    await connection.openUri(uri, { dbName: freshDatabase() });
    await Promise.all(calls);
    expect(numbersOf(await first)).toEqual([1]);
  });

  it('and was opened without waiting for it, is waited for', async () => {
    const connection = mongoose.createConnection(uri, { dbName: freshDatabase() });
    onTestFinished(async () => {
      await connection.dropDatabase();
      await connection.close();
    });
    expect(connection.readyState).toBe(mongoose.ConnectionStates.connecting);
    const { outbox } = await createOutbox({ connection });
    await outbox.put(order(1), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });

  it('by the time of bufferTimeoutMS is NOT_CONNECTED, and may be tried again', async () => {
    const connection = unopened(50);
    const { outbox } = await createOutbox({ connection });
    for (const call of [
      () => outbox.init(),
      () => outbox.put(order(1), null),
      () => outbox.start(),
      () => outbox.status(),
    ]) {
      const error = await rejection(call());
      expect(error).toMatchObject({ code: 'NOT_CONNECTED', retryable: true });
      expect(error.message).toContain('50 ms');
    }
    await expect(collect(outbox.messages(), 1)).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
    await connection.openUri(uri, { dbName: freshDatabase() });
    await outbox.put(order(2), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
  });

  it('because the server is not there is NOT_CONNECTED, and no password is in its text', async () => {
    const connection = unopened();
    const { outbox } = await createOutbox({ connection });
    const opening = connection.openUri(`mongodb://user:secret@127.0.0.1:${await deadPort()}/`, {
      serverSelectionTimeoutMS: 50,
    });
    const [error] = await Promise.all([rejection(outbox.init()), rejection(opening)]);
    expect(error).toMatchObject({ code: 'NOT_CONNECTED', cause: { name: 'MongooseServerSelectionError' } });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret');
  });

  it('takes bufferTimeoutMS from its own options, too', async () => {
    const connection = unopened();
    const { outbox } = await createOutbox({ connection });
    const opening = connection.openUri(`mongodb://127.0.0.1:${await deadPort()}/`, {
      serverSelectionTimeoutMS: 400,
      bufferTimeoutMS: 50,
    } as mongoose.ConnectOptions);
    const [error] = await Promise.all([rejection(outbox.init()), rejection(opening)]);
    expect(error).toMatchObject({ code: 'NOT_CONNECTED', message: expect.stringContaining('50 ms') as string });
  });

  it('any more is CONNECTION_CLOSED', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const session = await connection.startSession();
    session.startTransaction();
    await connection.close();
    for (const call of [() => outbox.put(order(1), null), () => outbox.status()])
      await expect(call()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED', retryable: false });
    await expect(collect(outbox.messages(), 1)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    await expect(outbox.put(order(1), session)).rejects.toBeInstanceOf(Error);
  });

  it('any more, before init, is CONNECTION_CLOSED at once', async () => {
    const connection = await createConnection();
    await connection.close();
    const { outbox } = await createOutbox({ connection });
    await expect(outbox.init()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    await expect(outbox.start()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });

  it('for a while, and is opened again, works again', async () => {
    const connection = unopened();
    const database = freshDatabase();
    await connection.openUri(uri, { dbName: database });
    const { outbox } = await createOutbox({ connection });
    await outbox.put(order(1), null);
    await connection.close();
    await expect(outbox.put(order(2), null)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    await connection.openUri(uri, { dbName: database });
    await outbox.put(order(3), null);
    expect(numbersOf(await collect(outbox.messages(), 2))).toEqual([1, 3]);
  });
});

describe('init', () => {
  it('runs once, however often and at the same time it is called', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    await Promise.all([outbox.init(), outbox.init(), outbox.put(order(1), null), outbox.init(), outbox.status()]);
    const creates = sent.filter(({ name }) => name === 'create').map(({ collection }) => collection);
    expect(creates.sort()).toEqual(['Outbox', 'Outbox.failures', 'Outbox.pending', 'Outbox.state']);
    sent.length = 0;
    await outbox.init();
    expect(sent).toEqual([]);
  });

  it('that failed is tried again by the next call', async () => {
    const { outbox, connection } = await createOutbox();
    await connection.createCollection('Outbox');
    await expect(Promise.all([outbox.init(), outbox.init()])).rejects.toMatchObject({ code: 'LOG_NOT_CAPPED' });
    await expect(outbox.put(order(1), null)).rejects.toMatchObject({ code: 'LOG_NOT_CAPPED' });
    await connection.dropCollection('Outbox');
    await outbox.put(order(2), null);
    await outbox.init();
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
  });

  it('is over before close is, and is refused after it', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    const call = rejection(outbox.init());
    await outbox.close();
    expect(await call).toMatchObject({ code: 'CLOSED' });
    const count = sent.length;
    for (const each of [() => outbox.init(), () => outbox.start(), () => outbox.status()])
      await expect(each()).rejects.toMatchObject({ code: 'CLOSED' });
    for (const each of [() => outbox.tail(), () => outbox.messages()])
      expect(each).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    expect(sent).toHaveLength(count);
    expect(connection.readyState).toBe(mongoose.ConnectionStates.connected);
  });

  it('that waits for a connection which never opens lets close go on', async () => {
    const { outbox } = await createOutbox({ connection: unopened(50) });
    const call = rejection(outbox.init());
    await outbox.close();
    expect(['NOT_CONNECTED', 'CLOSED']).toContain(((await call) as { code?: string }).code);
  });
});

describe('a connection of useDb', () => {
  it.each([true, false])('has an outbox in its own database (useCache %s)', async (useCache) => {
    const connection = await createConnection();
    const other = connection.useDb(freshDatabase(), { useCache });
    onTestFinished(() => other.dropDatabase().then(() => undefined));
    const [here, there] = [await createOutbox({ connection }), await createOutbox({ connection: other })];
    await here.outbox.put(order(1), null);
    await there.outbox.put(order(2), null);
    expect(numbersOf(await collect(here.outbox.messages(), 1))).toEqual([1]);
    expect(numbersOf(await collect(there.outbox.messages(), 1))).toEqual([2]);
    expect(await other.collection('Outbox').countDocuments()).toBe(2);
    await connection.transaction(async (session) => {
      await here.outbox.put(order(3), session);
      await there.outbox.put(order(4), session);
    });
    expect(numbersOf(await collect(there.outbox.messages(1), 1))).toEqual([4]);
  });

  it('that was made before its parent is open is waited for, and is closed with it', async () => {
    const parent = unopened();
    const other = parent.useDb(freshDatabase());
    const { outbox } = await createOutbox({ connection: other });
    const put = outbox.put(order(1), null);
    await parent.openUri(uri, { dbName: freshDatabase() });
    await put;
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
    await other.dropDatabase();
    await parent.close();
    await expect(outbox.put(order(2), null)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });
});
