import type { Connection } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { startChild } from '../../support/child-outbox.js';
import {
  collectAll,
  createConnection,
  createOutbox,
  waitFor,
  type TestOutbox,
  type TestMessage,
} from '../../support/create-outbox.js';
import { recordCommands, type SentCommand } from '../../support/commands.js';
import { failCommand } from '../../support/fail-point.js';
import { startMover } from '../../support/movers.js';
import { expectEachOnce, expectInOrder, order, orders, putInTransaction, range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const server = ownServer();

/** An outbox that takes no part in the election, for putting and reading. */
const bystander = (overrides: object = {}) =>
  createOutbox({ uri: server.uri, options: { sequencer: false }, ...overrides });

/** Everything in the log, when nothing is pending any more: no gap, each order once. */
async function expectMovedOnce({ outbox, connection }: TestOutbox<TestMessage>, expected: readonly number[]) {
  await waitFor(async () => (await outbox.status()).pending.count === 0, 20_000);
  const messages = await collectAll(outbox.messages('beginning', { live: false }));
  expectInOrder(messages);
  expectEachOnce(messages, expected);
  const tokens = await connection.collection('Outbox').distinct('token');
  expect(tokens).toHaveLength(expected.length);
}

const another = (database: string, appName?: string): Promise<Connection> =>
  createConnection({ uri: server.uri, database, ...(appName === undefined ? {} : { connect: { appName } }) });

/** How many of them have tried to append, whoever came first. */
const triedToAppend = (sent: readonly (readonly SentCommand[])[]): number =>
  sent.filter((commands) => commands.some(({ name, collection }) => name === 'insert' && collection === 'Outbox'))
    .length;

describe('sequencers that all believe to lead', () => {
  it.each([2, 3])('%i of them make no gap, no duplicate and lose nothing, at full speed', async (count) => {
    const created = await bystander();
    const { outbox, database } = created;
    await outbox.init();
    const connections = await Promise.all(
      range(1, count).map(() => createConnection({ uri: server.uri, database, connect: { monitorCommands: true } })),
    );
    const sent = connections.map(recordCommands);
    connections.forEach((connection, index) =>
      startMover(connection, index + 1, { appendBatchSize: 5 + 3 * index, pollMinMs: 1, pollMaxMs: 5 }),
    );
    const raced = () => triedToAppend(sent) > 1;
    const put: number[] = [];
    await Promise.all(
      range(0, 4).map(async (writer) => {
        // It is no race as long as only one of them tries to append.
        for (let round = 0; round < 25 || (!raced() && round < 240); round += 1) {
          const first = writer * 1_000 + round * 4;
          if (round % 5 === 0) await putInTransaction(created, first, 4);
          else await outbox.put(orders(first, 4), null);
          put.push(...range(first, 4));
        }
      }),
    );
    await expectMovedOnce(created, put);
    expect(raced()).toBe(true);
  });

  it('nor when the server is slow at some of their appends and deletes, at any', async () => {
    const created = await bystander();
    const { outbox, database } = created;
    await outbox.init();
    const connect = { appName: 'mover', monitorCommands: true };
    const connections = await Promise.all([1, 2].map(() => createConnection({ uri: server.uri, database, connect })));
    const sent = connections.map(recordCommands);
    const slow = { appName: 'mover', blockConnection: true, blockTimeMS: 15 };
    const { off } = await failCommand(
      server.client,
      { failCommands: ['insert', 'delete', 'find'], ...slow },
      { activationProbability: 0.4 },
    );
    connections.forEach((connection, index) =>
      startMover(connection, index + 1, { appendBatchSize: 4, pollMinMs: 1, pollMaxMs: 5 }),
    );
    for (let round = 0; round < 60; round += 1) await outbox.put(orders(round * 3, 3), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0, 20_000);
    await off();
    await expectMovedOnce(created, range(0, 180));
    expect(triedToAppend(sent)).toBe(2);
  });
});

describe('a sequencer that is killed', () => {
  it('between append and delete: its successor appends nothing a second time', async () => {
    const leaseMs = 1_000;
    const created = await createOutbox({ uri: server.uri, options: { leaseMs } });
    const { outbox, database } = created;
    await outbox.init();
    const child = await startChild({ uri: server.uri, database, connect: { appName: 'victim' }, options: { leaseMs } });
    await child.order({ do: 'start' });
    await waitFor(() => child.has('sequencer:elected'));
    const { off } = await failCommand(server.client, {
      failCommands: ['delete'],
      appName: 'victim',
      blockConnection: true,
      blockTimeMS: 10_000,
    });
    // More than one batch of the smallest kind, and more than a reply of the server holds without being asked.
    await outbox.put(orders(1, 700), null);
    await waitFor(() => child.has('log:append'));
    await child.kill9();
    expect(child.payloads('log:append')).toMatchObject([{ first: 1, last: 700, epoch: 1 }]);
    expect((await outbox.status()).pending.count).toBe(700);
    await off();
    await outbox.put(order(701), null);
    await outbox.start();
    await expectMovedOnce(created, range(1, 701));
    expect((await outbox.status()).sequencer.epoch).toBe(2);
  });

  it('between reading and append: its successor appends what it could not', async () => {
    const leaseMs = 1_000;
    const created = await createOutbox({ uri: server.uri, options: { leaseMs } });
    const { outbox, database } = created;
    await outbox.init();
    const child = await startChild({ uri: server.uri, database, connect: { appName: 'victim' }, options: { leaseMs } });
    await child.order({ do: 'start' });
    await waitFor(() => child.has('sequencer:elected'));
    const { met, off } = await failCommand(server.client, {
      failCommands: ['insert'],
      appName: 'victim',
      blockConnection: true,
      blockTimeMS: 300,
    });
    await outbox.put(orders(1, 50), null);
    await met();
    // The append is with the server already: it may land after the death of its process.
    await child.kill9();
    await outbox.start();
    await off();
    await expectMovedOnce(created, range(1, 50));
  });

  it('while it is stopped (SIGSTOP) past its lease and goes on after that: no gap, no duplicate', async () => {
    const leaseMs = 1_000;
    const created = await createOutbox({ uri: server.uri, options: { leaseMs } });
    const { outbox, database } = created;
    await outbox.init();
    const child = await startChild({
      uri: server.uri,
      database,
      connect: { appName: 'sleeper' },
      options: { leaseMs },
    });
    await child.order({ do: 'start' });
    await waitFor(() => child.has('sequencer:elected'));
    // Stopped in the middle of an append, and at a moment of its own choice.
    const { met, off } = await failCommand(
      server.client,
      { failCommands: ['insert'], appName: 'sleeper', blockConnection: true, blockTimeMS: 200 },
      { times: 1 },
    );
    await outbox.put(orders(1, 30), null);
    await met();
    child.pause();
    await off();
    await outbox.start();
    await outbox.put(orders(31, 30), null);
    await waitFor(async () => (await outbox.status()).sequencer.epoch === 2);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    child.resume();
    const more = outbox.put(orders(61, 30), null);
    await waitFor(() => child.has('sequencer:lost'));
    await more;
    await outbox.put(orders(91, 10), null);
    await expectMovedOnce(created, range(1, 100));
    expect(child.payloads('sequencer:lost')[0]).toMatchObject({ epoch: 1 });
    expect(child.payloads('log:append').every(({ epoch }) => epoch === 1)).toBe(true);
  });
});

describe('an append whose reply does not come', () => {
  it('but which was made: it is found, and not made again', async () => {
    const created = await bystander();
    const { outbox, database } = created;
    await outbox.init();
    const proxy = await TcpProxy.start(server.uri);
    const mover = startMover(await createConnection({ uri: proxy.uri, database }), 1);
    const lost = proxy.loseReply('insert', 'Outbox');
    await outbox.put(orders(1, 300), null);
    await lost;
    await outbox.put(orders(301, 10), null);
    await expectMovedOnce(created, range(1, 310));
    expect(mover.errors).not.toEqual([]);
  });

  it('nor that of its delete: no duplicate', async () => {
    const created = await bystander();
    const { outbox, database } = created;
    await outbox.init();
    const proxy = await TcpProxy.start(server.uri);
    startMover(await createConnection({ uri: proxy.uri, database }), 1);
    const lost = proxy.loseReply('delete', 'Outbox.pending');
    await outbox.put(orders(1, 300), null);
    await lost;
    await outbox.put(orders(301, 10), null);
    await expectMovedOnce(created, range(1, 310));
  });

  it('because the majority did not confirm it in time: it is taken for failed, and not built on', async () => {
    const created = await bystander();
    const { outbox, database } = created;
    await outbox.init();
    const mover = startMover(await another(database, 'unconfirmed'), 1);
    await outbox.put(order(1), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
    const { met } = await failCommand(
      server.client,
      { failCommands: ['insert'], appName: 'unconfirmed', writeConcernError },
      { times: 1 },
    );
    await outbox.put(orders(2, 3), null);
    await met();
    await expectMovedOnce(created, range(1, 4));
    expect(mover.errors).toMatchObject([{ code: 64 }]);
    // Not reported as appended, since it was not known to be.
    expect(mover.appends.map(({ first, last }) => [first, last])).toEqual([[1, 1]]);
  });

  it('and which reaches the server only when its position was overwritten: no reader and no figure shows it', async () => {
    const created = await bystander({ options: { sequencer: false, sizeBytes: 1024 * 1024, safetyPollMs: 500 } });
    const { outbox, database, connection } = created;
    await outbox.init();
    const proxy = await TcpProxy.start(server.uri);
    const stale = startMover(await createConnection({ uri: proxy.uri, database }), 1);
    const held = proxy.hold('insert', 'Outbox');
    await outbox.put(orders(1, 5), null);
    const release = await held;

    // Meanwhile another one appends these and wraps the log.
    const current = startMover(await another(database), 2);
    for (let first = 6; first < 1_500; first += 100) await outbox.put(orders(first, 100, 'x'.repeat(1_500)), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0, 20_000);
    const before = (await outbox.status()).log;
    expect(before.first).toBeGreaterThan(500);

    const tail = outbox.messages('end')[Symbol.asyncIterator]();
    const next = tail.next();
    release();
    await waitFor(() => connection.collection('Outbox').countDocuments({ _id: { $lt: before.first } as never }));
    await stale.stop();
    // What was inserted last took the place of the oldest.
    const { log } = await outbox.status();
    expect(log).toMatchObject({ last: before.last, entries: log.last - log.first + 1 });
    expect(log.first).toBeGreaterThanOrEqual(before.first);
    expect(log.first).toBeLessThan(before.first + 10);
    const messages = await collectAll(outbox.messages('beginning', { live: false }));
    expectInOrder(messages, log.first);
    await expect(collectAll(outbox.messages(0, { live: false }))).rejects.toMatchObject({
      code: 'POSITION_LOST',
      oldest: log.first,
    });
    await outbox.put(order(9_999), null);
    expect((await next).value).toMatchObject({ data: { ordernr: 9_999 }, position: before.last + 1 });

    // The next sequencer removes them.
    await current.stop();
    startMover(await another(database), 3);
    await waitFor(async () => {
      const { first } = (await outbox.status()).log;
      return (await connection.collection('Outbox').countDocuments({ _id: { $lt: first } as never })) === 0;
    });
  });
});
