import { MongoClient } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';

import { startReplicaSet } from '../../../dev/replica-set.js';
import type { OutboxEvents, ServiceOutbox } from '../../../src/index.js';
import { recordCommands } from '../../support/commands.js';
import {
  collect,
  createConnection,
  createOutbox,
  freshDatabase,
  waitFor,
  type TestMessage,
} from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { numbersOf, order, putInTransaction, range } from '../../support/orders.js';
import { openCursors } from '../../support/open-cursors.js';
import { ownServer } from '../../support/own-server.js';

const server = ownServer();
const minutes = 600_000;

function recordErrors(outbox: ServiceOutbox<TestMessage>): OutboxEvents['error'][] {
  const errors: OutboxEvents['error'][] = [];
  outbox.on('error', (error) => errors.push(error));
  return errors;
}

const nextAppend = (outbox: ServiceOutbox<TestMessage>) =>
  new Promise<void>((resolve) => {
    const listener = () => {
      outbox.off('log:append', listener);
      resolve();
    };
    outbox.on('log:append', listener);
  });

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe('an idle sequencer', () => {
  it('is woken by a change stream, long before it would look by itself', async () => {
    const { outbox, connection } = await createOutbox({ options: { safetyPollMs: minutes } });
    await outbox.start();
    await waitFor(async () => (await outbox.status()).sequencer.owner);
    const delays: number[] = [];
    for (const ordernr of range(1, 15)) {
      const appended = nextAppend(outbox);
      await putInTransaction({ outbox, connection }, ordernr);
      const committed = performance.now();
      await appended;
      delays.push(performance.now() - committed);
    }
    // A few milliseconds on an idle machine.
    expect(median(delays)).toBeLessThan(250);
  });

  it('misses nothing that is put between its last look and the opening of the stream', async () => {
    const { outbox, database } = await createOutbox({
      uri: server.uri,
      options: { safetyPollMs: minutes },
      connect: { appName: 'slow stream' },
    });
    await outbox.init();
    const { met } = await failCommand(server.client, {
      failCommands: ['aggregate'],
      namespace: `${database}.Outbox.pending`,
      appName: 'slow stream',
      blockConnection: true,
      blockTimeMS: 300,
    });
    await outbox.start();
    await met();
    const appended = nextAppend(outbox);
    await outbox.put(order(1), null);
    await appended;
  });

  it('looks by itself from time to time, should the stream be silent', async () => {
    const { outbox, database } = await createOutbox({
      uri: server.uri,
      options: { safetyPollMs: 300, pollMinMs: 60_000, pollMaxMs: 60_000 },
      connect: { appName: 'silent stream' },
    });
    const { met } = await failCommand(server.client, {
      failCommands: ['aggregate'],
      namespace: `${database}.Outbox.pending`,
      appName: 'silent stream',
      blockConnection: true,
      blockTimeMS: 2_000,
    });
    await outbox.start();
    await met();
    const appended = nextAppend(outbox);
    const put = performance.now();
    await outbox.put(order(1), null);
    await appended;
    expect(performance.now() - put).toBeLessThan(1_500);
  });
});

describe('where no change stream can be had, the sequencer polls, and says so', () => {
  it.each([
    { fault: 'the server refuses to open it', failCommands: ['aggregate'], errorCode: 13 },
    { fault: 'it fails later on', failCommands: ['getMore'], errorCode: 13 },
  ])('$fault', async ({ failCommands, errorCode }) => {
    const { outbox, database } = await createOutbox({
      uri: server.uri,
      options: { safetyPollMs: minutes },
      connect: { appName: 'no stream' },
    });
    const errors = recordErrors(outbox);
    await outbox.init();
    await failCommand(server.client, {
      failCommands,
      namespace: `${database}.Outbox.pending`,
      appName: 'no stream',
      errorCode,
    });
    await outbox.start();
    await waitFor(() => errors.length > 0);
    expect(errors[0]).toMatchObject({ outbox: 'Outbox', part: 'sequencer', error: { code: errorCode } });
    for (const ordernr of [1, 2, 3]) {
      const appended = nextAppend(outbox);
      await outbox.put(order(ordernr), null);
      await appended;
    }
    // The stream is left alone for a while; polling is no fault.
    expect(errors).toHaveLength(1);
  });

  it('the user has no right to it', async () => {
    await using set = await startReplicaSet({ mongod: inject('mongod'), auth: true });
    const database = freshDatabase();
    await using root = new MongoClient(set.uri);
    const setUp = ['createCollection', 'convertToCapped', 'createIndex', 'listCollections', 'listIndexes', 'collStats'];
    await root.db(database).command({
      createRole: 'service',
      privileges: [
        { resource: { db: database, collection: '' }, actions: [...setUp, 'find', 'insert', 'update', 'remove'] },
      ],
      roles: [],
    });
    await root.db(database).command({ createUser: 'service', pwd: 'secret', roles: ['service'] });
    const uri = set.uri.replace(/\/\/.*@/, '//service:secret@').replace('/?', `/?authSource=${database}&`);
    const connection = await createConnection({ uri, database });
    const { outbox } = await createOutbox({ connection, options: { safetyPollMs: minutes } });
    const errors = recordErrors(outbox);
    const reading = collect(outbox.messages(), 2);
    await waitFor(() => errors.length > 0);
    expect(errors).toMatchObject([{ part: 'sequencer', error: { code: 13, codeName: 'Unauthorized' } }]);
    await putInTransaction({ outbox, connection }, 1);
    await putInTransaction({ outbox, connection }, 2);
    expect(numbersOf(await reading)).toEqual([1, 2]);
    await outbox.close();
    await connection.close();
  });

  it('the pool has one connection, which must stay free for the service', async () => {
    const { outbox, connection } = await createOutbox({
      connect: { maxPoolSize: 1, monitorCommands: true },
      options: { safetyPollMs: minutes },
    });
    const errors = recordErrors(outbox);
    const sent = recordCommands(connection);
    const reading = collect(outbox.messages(), 10);
    await waitFor(async () => (await outbox.status()).sequencer.owner);
    for (const ordernr of range(1, 10)) {
      await putInTransaction({ outbox, connection }, ordernr);
      // The service's own queries find the connection free.
      const before = performance.now();
      await connection.db!.command({ ping: 1 });
      expect(performance.now() - before).toBeLessThan(1_000);
    }
    expect(numbersOf(await reading)).toEqual(range(1, 10));
    expect(sent.filter(({ name, command }) => name === 'getMore' || command['tailable'])).toEqual([]);
    expect(errors).toEqual([]);
  });
});

it('a sequencer whose lease was taken while it looked opens no stream after that', async () => {
  const { outbox, connection, database } = await createOutbox({
    uri: server.uri,
    options: { leaseMs: 600, safetyPollMs: minutes },
    connect: { appName: 'overtaken' },
  });
  await outbox.init();
  const namespace = `${database}.Outbox.pending`;
  const { met, off } = await failCommand(
    server.client,
    { failCommands: ['find'], namespace, appName: 'overtaken', blockConnection: true, blockTimeMS: 800 },
    { times: 1 },
  );
  const lost = new Promise<string>((resolve) => outbox.on('sequencer:lost', ({ reason }) => resolve(reason)));
  await outbox.start();
  await met();
  const taken = { owner: 'another process', epoch: 9, expiresAt: new Date(Date.now() + minutes) };
  await connection.collection('Outbox.state').updateOne({ _id: 'sequencer' as never }, { $set: taken });
  expect(await lost).toBe('taken');
  // Waits until the look that was under way has its answer.
  await off();
  const onPending = async () =>
    (await openCursors(connection, database)).filter((cursor) => cursor.endsWith('.pending'));
  await waitFor(async () => (await onPending()).length === 0);
});

describe('a poll', () => {
  it('slows down to pollMaxMs while nothing comes, and is quick again when something has come', async () => {
    const { outbox, connection } = await createOutbox({
      connect: { maxPoolSize: 1, monitorCommands: true },
      options: { pollMinMs: 10, pollMaxMs: 1_000 },
    });
    await outbox.start();
    const sent = recordCommands(connection);
    const polls = () =>
      sent.filter(({ collection, name }) => name === 'find' && collection === 'Outbox.pending').length;
    await waitFor(() => polls() > 5);
    const from = polls();
    const since = performance.now();
    await waitFor(() => performance.now() - since > 1_500);
    expect(polls() - from).toBeLessThan(12);
    const appended = nextAppend(outbox);
    await outbox.put(order(1), null);
    await appended;
    const again = polls();
    await waitFor(() => polls() - again >= 4, 1_000);
  });
});
