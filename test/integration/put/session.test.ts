import { AsyncLocalStorage } from 'node:async_hooks';

import mongoose, { type ClientSession, type Connection } from 'mongoose';
import { describe, expect, it, onTestFinished } from 'vitest';

import { ServiceOutbox, type MessageSchemas } from '../../../src/index.js';
import { recordCommands } from '../../support/commands.js';
import {
  collect,
  collectAll,
  createConnection,
  createOutbox,
  testSchemas,
  type TestMessage,
} from '../../support/create-outbox.js';
import { gate } from '../../support/gate.js';
import { numbersOf, order } from '../../support/orders.js';
import { otherMongoose } from '../../support/payloads.js';

async function startSession(connection: Connection): Promise<ClientSession> {
  const session = await connection.startSession();
  onTestFinished(() => session.endSession());
  return session;
}

function withStorage(base: typeof mongoose): typeof mongoose {
  const own = new base.Mongoose();
  own.set('transactionAsyncLocalStorage', true);
  return own;
}

describe('the session', () => {
  it('comes from the option currentSession, for those who carry it themselves, and from the argument first', async () => {
    const carried = new AsyncLocalStorage<ClientSession | null>();
    const { outbox, connection } = await createOutbox({ options: { currentSession: () => carried.getStore() } });
    await outbox.init();
    await connection.transaction((session) => carried.run(session, () => outbox.put(order(1))));
    const other = await startSession(connection);
    other.startTransaction();
    await carried.run(other, async () => {
      await outbox.put(order(2));
      await outbox.put(order(3), null);
      await connection.transaction((session) => outbox.put(order(4), session));
    });
    await other.abortTransaction();
    expect(numbersOf(await collect(outbox.messages(), 3))).toEqual([1, 3, 4]);
    await expect(outbox.put(order(5))).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await expect(carried.run(null, () => outbox.put(order(5)))).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
  });

  it.each(['mongoose 9', 'mongoose 8'])(
    'comes from the transactionAsyncLocalStorage of %s, where that is on',
    async (version) => {
      const base = withStorage(version === 'mongoose 8' ? await otherMongoose() : mongoose);
      const { outbox, connection } = await createOutbox({ base });
      await outbox.init();
      await connection.transaction(async () => {
        await outbox.put(order(1));
        await Promise.all([outbox.put(order(2)), outbox.put([order(3), order(4)])]);
      });
      await expect(
        connection.transaction(async () => {
          await outbox.put(order(5));
          await outbox.put(order(6), null); // deliberately outside
          throw new Error('the service thinks again');
        }),
      ).rejects.toThrow('thinks again');
      expect(numbersOf(await collect(outbox.messages(), 5))).toEqual([1, 2, 3, 4, 6]);
      await expect(outbox.put(order(7))).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    },
  );

  it('of currentSession comes before the one of the AsyncLocalStorage, which is asked where that has none', async () => {
    let current: ClientSession | undefined;
    const { outbox, connection } = await createOutbox({
      base: withStorage(mongoose),
      options: { currentSession: () => current },
    });
    await outbox.init();
    current = await startSession(connection);
    current.startTransaction();
    await connection.transaction(() => outbox.put(order(1)));
    await current.abortTransaction();
    current = undefined;
    await connection.transaction(() => outbox.put(order(2)));
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
  });

  it('must be there, unless it is null', async () => {
    const { outbox } = await createOutbox();
    await expect(outbox.put(order(1))).rejects.toMatchObject({ code: 'NO_TRANSACTION', retryable: false });
    await expect(outbox.put(order(1), undefined)).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await expect(outbox.put([order(1)])).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await outbox.put(order(2), null);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
  });

  it('must have an active transaction', async () => {
    const { outbox, connection } = await createOutbox();
    const session = await startSession(connection);
    await expect(outbox.put(order(1), session)).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    session.startTransaction();
    await outbox.put(order(2), session);
    await session.commitTransaction();
    await expect(outbox.put(order(3), session)).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    session.startTransaction();
    await outbox.put(order(4), session);
    await session.abortTransaction();
    await expect(outbox.put(order(5), session)).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await session.endSession();
    await expect(outbox.put(order(6), session)).rejects.toMatchObject({ code: 'INVALID_SESSION' });
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([2]);
  });

  it('must be one, of the same client, and of the same copy of mongoose', async () => {
    const { outbox, database } = await createOutbox();
    for (const session of ['session', 5, true, {}, { session: {} }, new mongoose.mongo.ObjectId()])
      await expect(outbox.put(order(1), session as never)).rejects.toMatchObject({ code: 'INVALID_SESSION' });
    for (const base of [mongoose, await otherMongoose()]) {
      const session = await startSession(await createConnection({ base, database }));
      session.startTransaction();
      await expect(outbox.put(order(1), session)).rejects.toMatchObject({ code: 'INVALID_SESSION' });
      await session.abortTransaction();
    }
  });

  it('of another client is refused while the connection of the outbox is not open yet', async () => {
    const closed = mongoose.createConnection();
    const { outbox } = await createOutbox({ connection: closed });
    const session = await startSession(await createConnection());
    session.startTransaction();
    await expect(outbox.put(order(1), session)).rejects.toMatchObject({ code: 'INVALID_SESSION' });
    await session.abortTransaction();
  });

  it('may come from a connection that useDb gave, which shares the client', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const session = await startSession(connection.useDb('other'));
    session.startTransaction();
    await outbox.put(order(1), session);
    await session.commitTransaction();
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([1]);
  });
});

describe('a put that was not awaited', () => {
  /** An outbox whose validator of `ordernr` 1 waits. */
  async function waiting() {
    const validation = gate();
    const reached = gate();
    const validate = async (ordernr: number): Promise<boolean> => {
      if (ordernr !== 1) return true;
      reached.open();
      await validation.opened;
      return true;
    };
    const schemas: MessageSchemas<TestMessage> = {
      ...testSchemas,
      order_created: { data: { ordernr: { type: Number, required: true, validate }, note: String } },
    };
    const made = await createOutbox({ schemas });
    await made.outbox.init();
    return { ...made, reached, validation, session: await startSession(made.connection) };
  }

  it.each(['commitTransaction', 'abortTransaction'] as const)('is refused after %s, and goes nowhere', async (end) => {
    const { outbox, session, reached, validation } = await waiting();
    session.startTransaction();
    await outbox.put(order(2), session);
    const late = outbox.put(order(1), session);
    await reached.opened;
    await session[end]();
    validation.open();
    await expect(late).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await outbox.put(order(9), null);
    const expected = end === 'commitTransaction' ? [2, 9] : [9];
    expect(numbersOf(await collect(outbox.messages(), expected.length))).toEqual(expected);
  });

  it('does not go into the next transaction of its session, nor do those that wait behind it', async () => {
    const { outbox, session, reached, validation } = await waiting();
    session.startTransaction();
    const late = [outbox.put(order(1), session), outbox.put(order(3), session)];
    await reached.opened;
    await session.abortTransaction();
    session.startTransaction();
    const next = outbox.put(order(4), session);
    validation.open();
    for (const each of late) await expect(each).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await next;
    await session.commitTransaction();
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([4]);
    expect(await collectAll(outbox.messages('beginning', { live: false }))).toHaveLength(1);
  });

  it('does not go into the next attempt of its transaction', async () => {
    const { outbox, connection, reached, validation } = await waiting();
    let late: Promise<unknown> | undefined;
    await connection.transaction(async (session) => {
      if (late === undefined) {
        await outbox.put(order(2), session);
        late = outbox.put(order(1), session);
        late.catch(() => undefined);
        await reached.opened;
        throw new mongoose.mongo.MongoServerError({ message: 'again', errorLabels: ['TransientTransactionError'] });
      }
      validation.open();
      await outbox.put(order(3), session);
    });
    await expect(late).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    expect(numbersOf(await collectAll(outbox.messages('beginning', { live: false })))).toEqual([]);
    expect(numbersOf(await collect(outbox.messages(), 1))).toEqual([3]);
  });

  it('is refused where init came in between', async () => {
    const connection = await createConnection({ connect: { monitorCommands: true } });
    const outbox = new ServiceOutbox<TestMessage>('Outbox', testSchemas, { connection });
    onTestFinished(() => outbox.close());
    const session = await startSession(connection);
    session.startTransaction();
    const late = outbox.put(order(1), session);
    await session.abortTransaction();
    session.startTransaction();
    await expect(late).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await session.abortTransaction();
    expect(await connection.collection('Outbox.pending').countDocuments()).toBe(0);
  });
});

describe('after close', () => {
  it('put is refused with CLOSED, and so is one that was waiting', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    await outbox.init();
    const session = await startSession(connection);
    session.startTransaction();
    const sent = recordCommands(connection);
    await outbox.close();
    for (const target of [session, null, undefined])
      await expect(outbox.put(order(1), target)).rejects.toMatchObject({ code: 'CLOSED' });
    expect(sent).toEqual([]);
    await session.abortTransaction();
  });
});
