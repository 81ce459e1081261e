import mongoose from 'mongoose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { Inbox } from '../../../src/index.js';
import { createConnection } from '../../support/create-outbox.js';
import { createInbox, startSession } from '../../support/create-inbox.js';
import { gate } from '../../support/gate.js';
import { range } from '../../support/orders.js';
import { rejection } from '../../support/payloads.js';

function expectConflict(error: unknown): void {
  expect(error).toBeInstanceOf(mongoose.mongo.MongoServerError);
  expect(error).toMatchObject({ code: 112 });
  expect((error as mongoose.mongo.MongoError).hasErrorLabel('TransientTransactionError')).toBe(true);
}

describe('of two transactions with one id', () => {
  it('the later one gets a write conflict as the driver has it, and does not run', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await inbox.init();
    const [one, two] = [await startSession(connection), await startSession(connection)];
    one.startTransaction();
    await inbox.once('m', one, effect('one', one));
    two.startTransaction();
    expectConflict(await rejection(inbox.once('m', two, effect('two', two))));
    await two.abortTransaction();
    await one.commitTransaction();
    expect(await effects()).toEqual(['one']);
  });

  it('one whose snapshot is older than the commit of the other gets one too', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await inbox.init();
    const session = await startSession(connection);
    session.startTransaction();
    await effect('before', session)();
    await connection.transaction((other) => inbox.once('m', other, effect('other', other)));
    expectConflict(await rejection(inbox.once('m', session, effect('late', session))));
    await session.abortTransaction();
    expect(await effects()).toEqual(['other']);
  });

  it.each([
    ['commits', ['one']],
    ['aborts', ['two']],
  ])('the later one is retried, and finds it as it is when the first %s', async (end, expected) => {
    const { inbox, connection, effect, effects } = await createInbox();
    await inbox.init();
    const one = await startSession(connection);
    one.startTransaction();
    await inbox.once('m', one, effect('one', one));
    let attempts = 0;
    const twice = gate();
    const retried = connection.transaction((session) => {
      attempts += 1;
      if (attempts === 2) twice.open();
      return inbox.once('m', session, effect('two', session));
    });
    await twice.opened;
    await (end === 'commits' ? one.commitTransaction() : one.abortTransaction());
    expect(await retried).toBe(end === 'commits' ? undefined : 'two');
    expect(await effects()).toEqual(expected);
  });
});

it('of many duplicates on several connections one is applied, of each id', async () => {
  const { inbox, connection, effects } = await createInbox();
  await inbox.init();
  const connections = await Promise.all(range(0, 4).map(() => createConnection({ database: connection.name })));
  const ids = range(0, 15).map((id) => `m${id}`);
  let ran = 0;
  await Promise.all(
    connections.map(async (own, index) => {
      const mine = new Inbox('Inbox', { connection: own });
      const turned = [...ids.slice(index * 3), ...ids.slice(0, index * 3)];
      for (const id of turned) {
        const done = await own.transaction((session) =>
          mine.once(id, session, async () => {
            await own.collection('effects').insertOne({ name: id }, { session });
            return true;
          }),
        );
        if (done === true) ran += 1;
      }
    }),
  );
  expect(ran).toBe(ids.length);
  expect(await effects()).toEqual([...ids].sort());
});

describe('several in one transaction', () => {
  it('started together are recorded one after another, and each is applied once', async () => {
    const { inbox, connection, effects } = await createInbox();
    await inbox.init();
    const pairs = await connection.transaction((session) =>
      Promise.all(
        ['m', 'm', 'n', 'm', 'n'].map(
          async (id) => [id, await inbox.once(id, session, () => Promise.resolve('ran'))] as const,
        ),
      ),
    );
    expect(pairs).toEqual([
      ['m', 'ran'],
      ['m', undefined],
      ['n', 'ran'],
      ['m', undefined],
      ['n', undefined],
    ]);
    expect(await effects()).toEqual([]);
  });

  it('may be called inside each other', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    const other = new Inbox('Other', { connection });
    await connection.transaction((session) =>
      inbox.once('m', session, async () => {
        await other.once('m', session, effect('other', session));
        await inbox.once('n', session, effect('n', session));
        expect(await inbox.once('m', session, effect('again', session))).toBeUndefined();
      }),
    );
    expect(await effects()).toEqual(['n', 'other']);
  });
});

describe('a call that was not awaited', () => {
  it.each([
    ['commitTransaction', 'goes into no other'],
    ['commitTransaction', 'does not go into the next'],
    ['abortTransaction', 'goes into no other'],
    ['abortTransaction', 'does not go into the next'],
  ] as const)('and waits for init is refused after %s, and %s', async (end, where) => {
    const { inbox, connection, effect, effects, ids } = await createInbox();
    const session = await startSession(connection);
    session.startTransaction();
    await effect('first', session)();
    const late = rejection(inbox.once('m', session, effect('late', session)));
    await session[end]();
    if (where === 'does not go into the next') session.startTransaction();
    expect(await late).toMatchObject({ code: 'NO_TRANSACTION' });
    await effect('next', session)();
    if (session.inTransaction()) await session.commitTransaction();
    expect(await effects()).toEqual(end === 'commitTransaction' ? ['first', 'next'] : ['next']);
    expect(await ids()).toEqual([]);
  });

  it('and whose id was recorded does not run after the transaction, outside any', async () => {
    const { inbox, connection, effects, ids } = await createInbox();
    await inbox.init();
    const session = await startSession(connection);
    session.startTransaction();
    const { prototype } = mongoose.mongo.Collection;
    const updateOne = prototype.updateOne;
    // The caller ends the transaction before the answer is looked at.
    const spy = vi.spyOn(prototype, 'updateOne').mockImplementationOnce(async function (
      this: typeof prototype,
      ...given
    ) {
      const result = await updateOne.apply(this, given);
      await session.abortTransaction();
      return result;
    });
    onTestFinished(() => spy.mockRestore());
    const late = inbox.once('m', session, () => connection.collection('effects').insertOne({ name: 'late' }));
    expect(await rejection(late)).toMatchObject({ code: 'NO_TRANSACTION' });
    expect([await effects(), await ids()]).toEqual([[], []]);
  });
});
