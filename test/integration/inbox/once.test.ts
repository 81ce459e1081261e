import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import { Inbox } from '../../../src/index.js';
import { recordCommands } from '../../support/commands.js';
import { createConnection, createOutbox } from '../../support/create-outbox.js';
import { createInbox, startSession } from '../../support/create-inbox.js';
import { order } from '../../support/orders.js';
import { otherMongoose, rejection } from '../../support/payloads.js';

const mongoose8 = await otherMongoose();
const versions = [
  ['mongoose 9', mongoose],
  ['mongoose 8', mongoose8],
] as const;

describe.each(versions)('with %s, a message', (_version, base) => {
  it('is applied once, in connection.transaction and session.withTransaction', async () => {
    const { inbox, connection, effect, effects, ids } = await createInbox({ base });
    const first = await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    const second = await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    const session = await startSession(connection);
    const third = await session.withTransaction(() => inbox.once('m', session, effect('m', session)));
    const other = await session.withTransaction(() => inbox.once('n', session, effect('n', session)));
    expect([first, second, third, other]).toEqual(['m', undefined, undefined, 'n']);
    expect(await effects()).toEqual(['m', 'n']);
    expect(await ids()).toEqual(['m', 'n']);
  });

  it('is applied by mongoose models, also with the ambient session of transactionAsyncLocalStorage', async () => {
    const own = new base.Mongoose();
    own.set('transactionAsyncLocalStorage', true);
    const { inbox, connection } = await createInbox({ base: own });
    const Account = connection.model('Account', new own.Schema({ _id: String, balance: Number }));
    await Account.createCollection();
    const apply = (id: string, fail = false) =>
      connection.transaction((session) =>
        inbox.once(id, session, async () => {
          await Account.updateOne({ _id: 'a' }, { $inc: { balance: 5 } }, { upsert: true });
          if (fail) throw new Error('no');
        }),
      );
    await apply('m');
    await apply('m');
    await expect(apply('n', true)).rejects.toThrow('no');
    expect(await Account.find().lean()).toMatchObject([{ balance: 5 }]);
    await apply('n');
    expect(await Account.find().lean()).toMatchObject([{ balance: 10 }]);
  });

  it("works with the connection's own options, in one round trip a message", async () => {
    const connect = {
      ...({ readPreference: 'secondaryPreferred', w: 1, readConcernLevel: 'local', retryWrites: false } as const),
      ...{ maxPoolSize: 1, monitorCommands: true, ignoreUndefined: true, useBigInt64: true },
      ...(base === mongoose8 ? { timeoutMS: 20_000 } : {}),
    };
    const { inbox, connection, effect, effects } = await createInbox({ base, connect });
    await inbox.init();
    const sent = recordCommands(connection);
    const transaction = { readPreference: 'primary' } as const;
    for (const id of ['m', 'm', 'n'])
      await connection.transaction((session) => inbox.once(id, session, effect(id, session)), transaction);
    expect(sent.map(({ name }) => name)).toEqual(
      ['m', 'again', 'n'].flatMap((each) =>
        each === 'again' ? ['update', 'commitTransaction'] : ['update', 'insert', 'commitTransaction'],
      ),
    );
    for (const { command } of sent.filter(({ name }) => name === 'update'))
      expect([command.readConcern?.level, command.writeConcern]).toEqual([expect.anything(), undefined]);
    expect(await effects()).toEqual(['m', 'n']);
  });
});

describe('an id', () => {
  it('that was seen leaves the transaction usable, and is not written again', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    const before = await connection.collection('Inbox.inbox').findOne();
    await connection.transaction(async (session) => {
      expect(await inbox.once('m', session, effect('m', session))).toBeUndefined();
      await effect('after', session)();
      expect(await inbox.once('n', session, effect('n', session))).toBe('n');
    });
    expect(await effects()).toEqual(['after', 'm', 'n']);
    expect(await connection.collection<{ _id: string }>('Inbox.inbox').findOne({ _id: 'm' })).toEqual(before);
    expect(before?.['at']).toBeInstanceOf(Date);
  });

  it('that two transactions have seen makes neither wait for the other', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    const [one, two] = [await startSession(connection), await startSession(connection)];
    for (const session of [one, two]) {
      session.startTransaction();
      expect(await inbox.once('m', session, effect('m', session))).toBeUndefined();
      await effect('by the way', session)();
    }
    await one.commitTransaction();
    await two.commitTransaction();
    expect(await effects()).toEqual(['by the way', 'by the way', 'm']);
  });

  it('of an aborted transaction is forgotten, however it was aborted', async () => {
    const { inbox, connection, effect, effects, ids } = await createInbox();
    await inbox.init();
    await expect(
      connection.transaction(async (session) => {
        await inbox.once('m', session, effect('m', session));
        throw new Error('the service thinks again');
      }),
    ).rejects.toThrow('thinks again');
    const session = await startSession(connection);
    session.startTransaction();
    await inbox.once('m', session, effect('m', session));
    await session.abortTransaction();
    const ended = await startSession(connection);
    ended.startTransaction();
    await inbox.once('m', ended, effect('m', ended));
    await ended.endSession();
    expect([await effects(), await ids()]).toEqual([[], []]);
    await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    expect([await effects(), await ids()]).toEqual([['m'], ['m']]);
  });

  it('is taken as text, never as an operator or pattern, and in full', async () => {
    const { inbox, connection, effect, effects, ids } = await createInbox();
    const various = [
      '$at',
      'a.b',
      'A',
      'a',
      'a ',
      '.*',
      '\u00e9',
      'e\u0301',
      '1',
      '01',
      'x'.repeat(1_000),
      `${'x'.repeat(999)}y`,
    ];
    for (const id of [...various, ...various])
      await connection.transaction((session) => inbox.once(id, session, effect(id, session)));
    expect(await effects()).toEqual([...various].sort());
    expect(await ids()).toEqual([...various].sort());
  });

  it('is one only within an inbox: another name, and another database, know nothing of it', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    const elsewhere = connection.useDb(`${connection.name}_other`);
    const others = [new Inbox('Inbox.eu', { connection }), new Inbox('Inbox', { connection: elsewhere })];
    const same = new Inbox('Inbox', { connection });
    for (const each of [inbox, ...others, same])
      await connection.transaction((session) => each.once('m', session, effect('m', session)));
    expect(await effects()).toEqual(['m', 'm', 'm']);
    await elsewhere.dropDatabase();
  });

  it('is taken from the message by handle, such as one of an outbox', async () => {
    const { outbox, connection } = await createOutbox();
    const { inbox, effect, effects } = await createInbox({ connection });
    await outbox.put([order(1), { ...order(2), id: 'mine' }, { ...order(2), id: 'mine' }], null);
    const returned: unknown[] = [];
    for await (const message of outbox.messages()) {
      const name = String(message.data.ordernr);
      returned.push(await connection.transaction((session) => inbox.handle(message, session, effect(name, session))));
      if (message.position === 3) break;
    }
    expect(returned).toEqual(['1', '2', undefined]);
    expect(await effects()).toEqual(['1', '2']);
  });
});

describe('work that throws', () => {
  it('passes its own error, and nothing is left where that aborts the transaction', async () => {
    const { inbox, connection, effect, effects, ids } = await createInbox();
    const failure = new Error('no');
    await expect(
      connection.transaction((session) =>
        inbox.once('m', session, async () => {
          await effect('m', session)();
          throw failure;
        }),
      ),
    ).rejects.toBe(failure);
    const synchronous = () => {
      throw failure;
    };
    await expect(connection.transaction((session) => inbox.once('m', session, synchronous))).rejects.toBe(failure);
    expect([await effects(), await ids()]).toEqual([[], []]);
  });

  it('is not applied where the error is caught and the transaction commits: the message runs when it comes again', async () => {
    const { inbox, connection, effect, effects, ids } = await createInbox();
    const failing = (session: mongoose.ClientSession) => async () => {
      await effect('written before it threw', session)();
      throw new Error('no');
    };
    await connection.transaction(async (session) => {
      await rejection(inbox.once('m', session, failing(session)));
      expect(await inbox.once('n', session, effect('n', session))).toBe('n');
    });
    // There is no way to take back a part of a transaction.
    expect(await effects()).toEqual(['n', 'written before it threw']);
    expect(await ids()).toEqual(['n']);
    await connection.transaction((session) => inbox.once('m', session, effect('m', session)));
    expect(await effects()).toEqual(['m', 'n', 'written before it threw']);
  });

  it('may be tried again in the same transaction', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    await connection.transaction(async (session) => {
      await rejection(inbox.once('m', session, () => Promise.reject(new Error('no'))));
      expect(await inbox.once('m', session, effect('m', session))).toBe('m');
      expect(await inbox.once('m', session, effect('m', session))).toBeUndefined();
    });
    expect(await effects()).toEqual(['m']);
  });

  it('and catches by itself counts as applied', async () => {
    const { inbox, connection, effect, effects } = await createInbox();
    const settle = (session: mongoose.ClientSession) =>
      inbox.once('m', session, async () => {
        await Promise.reject(new Error('no')).catch(effect('given up', session));
      });
    await connection.transaction(settle);
    await connection.transaction(settle);
    expect(await effects()).toEqual(['given up']);
  });

  it('after it has ended the transaction by itself, passes its own error and touches no other transaction', async () => {
    const { inbox, connection, effect, ids } = await createInbox();
    const session = await startSession(connection);
    await connection.transaction((other) => inbox.once('n', other, effect('n', other)));
    session.startTransaction();
    const failing = async () => {
      await session.abortTransaction();
      session.startTransaction();
      expect(await inbox.once('m', session, effect('m', session))).toBe('m');
      throw new Error('no');
    };
    await expect(inbox.once('m', session, failing)).rejects.toThrow('no');
    await session.commitTransaction();
    expect(await ids()).toEqual(['m', 'n']);
  });
});

describe('refuses, before anything is sent and with the transaction still usable,', () => {
  const work = async () => 'worked';

  it.each<[string, unknown, unknown, unknown, string, string]>([
    ['an empty id', '', 'session', work, 'INVALID_MESSAGE', 'empty string'],
    ['an id that is no string', 5, 'session', work, 'INVALID_MESSAGE', 'got 5'],
    ['an id of 1,001 characters', 'x'.repeat(1_001), 'session', work, 'INVALID_MESSAGE', '1001'],
    ['work that is no function', 'm', 'session', 'work', 'INVALID_OPTION', 'got "work"'],
    ['work that is a promise', 'm', 'session', Promise.resolve(), 'INVALID_OPTION', 'function'],
    ['no work', 'm', 'session', undefined, 'INVALID_OPTION', 'got undefined'],
    ['no session', 'm', undefined, work, 'INVALID_SESSION', 'once takes the ClientSession'],
    ['null for a session', 'm', null, work, 'INVALID_SESSION', 'got null'],
    ['options for a session', 'm', { session: {} }, work, 'INVALID_SESSION', 'an object of Object'],
  ])('%s', async (_what, id, session, given, code, text) => {
    const { inbox, connection, effect, effects } = await createInbox({ connect: { monitorCommands: true } });
    await inbox.init();
    const sent = recordCommands(connection);
    await connection.transaction(async (own) => {
      const error = await rejection(
        inbox.once(id as string, (session === 'session' ? own : session) as never, given as never),
      );
      expect(error).toMatchObject({ code, retryable: false, message: expect.stringContaining(text) as string });
      expect(error.message).not.toContain('put');
      expect(sent).toEqual([]);
      await inbox.once('n', own, effect('n', own));
    });
    expect(await effects()).toEqual(['n']);
  });

  it('what is no message, in handle', async () => {
    const { inbox, connection } = await createInbox();
    await connection.transaction(async (session) => {
      for (const message of [undefined, null, 'm', {}, { id: 5 }, { id: '' }])
        await expect(inbox.handle(message as never, session, work)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    });
  });

  it('a session without an active transaction, one that has ended, and one of another client', async () => {
    const { inbox, connection, ids } = await createInbox();
    const session = await startSession(connection);
    const refused = async (code: string, text: string) =>
      expect(await rejection(inbox.once('m', session, work))).toMatchObject({
        code,
        message: expect.stringContaining(text) as string,
      });
    await refused('NO_TRANSACTION', 'no active transaction: call once inside connection.transaction');
    session.startTransaction();
    await inbox.once('n', session, work);
    await session.commitTransaction();
    await refused('NO_TRANSACTION', 'no active transaction');
    await session.endSession();
    await refused('INVALID_SESSION', 'the session given to once has ended');

    for (const base of [mongoose, mongoose8]) {
      const other = await startSession(await createConnection({ base, database: connection.name }));
      other.startTransaction();
      expect(await rejection(inbox.once('m', other, work))).toMatchObject({
        code: 'INVALID_SESSION',
        message: expect.stringContaining('another connection than the inbox') as string,
      });
      await other.abortTransaction();
    }
    expect(await ids()).toEqual(['n']);
  });
});
