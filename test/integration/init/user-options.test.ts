import mongoose, { type ConnectOptions, type Mongoose } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { recordCommands } from '../../support/commands.js';
import { createOutbox, type TestMessage } from '../../support/create-outbox.js';
import type { Delivered } from '../../../src/index.js';
import { order, range } from '../../support/orders.js';
import { otherMongoose } from '../../support/payloads.js';

const mongoose8 = await otherMongoose();

/** Puts in and outside a transaction while a reader is live, and reads it all. Returns what was reported as an error. */
async function useOutbox(base: Mongoose, connect: ConnectOptions): Promise<unknown[]> {
  const { outbox, connection } = await createOutbox({ base, connect, options: { pollMaxMs: 50 } });
  const errors: unknown[] = [];
  outbox.on('error', ({ error }) => errors.push(error)).on('tail:reopen', ({ error }) => errors.push(error));
  const messages = outbox.messages()[Symbol.asyncIterator]();
  const take = async () => ((await messages.next()).value as Delivered<TestMessage>).data.ordernr;
  await outbox.put(order(0), null);
  const numbers = [await take()];
  for (const first of [1, 4]) {
    await connection.transaction(async (session) => {
      await outbox.put(order(first), session);
      await outbox.put([order(first + 1), order(first + 2)], session);
    });
    numbers.push(await take(), await take(), await take());
  }
  await messages.return?.();
  expect(numbers).toEqual(range(0, 7));
  expect((await outbox.status()).log.last).toBe(7);
  return errors;
}

describe.each([
  ['mongoose 9', mongoose],
  ['mongoose 8', mongoose8],
])("on a %s connection with the service's own options, put and tail work:", (_version, base) => {
  it.each<[string, ConnectOptions]>([
    [
      'secondaryPreferred, w 1, readConcern local',
      { readPreference: 'secondaryPreferred', w: 1, readConcernLevel: 'local' },
    ],
    [
      'a pool of one connection, retryWrites and retryReads off',
      { maxPoolSize: 1, retryWrites: false, retryReads: false },
    ],
    [
      'a pool of two connections, autoIndex and autoCreate off',
      { maxPoolSize: 2, autoIndex: false, autoCreate: false },
    ],
    [
      'BSON options of its own, compressors, an appName',
      { promoteValues: false, promoteBuffers: true, ignoreUndefined: true, compressors: ['zlib'], appName: 'service' },
    ],
    ['BSON options of its own, with bigints', { useBigInt64: true, serializeFunctions: true, ignoreUndefined: true }],
  ])('%s', async (_options, connect) => {
    expect(await useOutbox(base, connect)).toEqual([]);
  });
});

it("every command says itself where it reads and how it writes, whatever the connection's options", async () => {
  const { outbox, connection } = await createOutbox({
    connect: { readPreference: 'secondaryPreferred', readConcernLevel: 'available', w: 1, monitorCommands: true },
  });
  const sent = recordCommands(connection);
  await outbox.put([order(1), order(2)], null);
  const messages = outbox.messages()[Symbol.asyncIterator]();
  await messages.next();
  await outbox.status();
  await messages.return?.();
  await outbox.close();
  const reading = ['find', 'aggregate'];
  const writing = ['insert', 'delete', 'findAndModify', 'update', 'create', 'createIndexes'];
  expect(sent.map(({ name }) => name)).toEqual(expect.arrayContaining([...reading, ...writing, 'collStats']));
  for (const { name, collection, command } of sent) {
    const what = `${name} ${collection}`;
    const { mode } = (command['$readPreference'] ?? { mode: 'primary' }) as { mode: string };
    expect(mode, what).toBe('primary');
    const levels = command['tailable'] === true ? ['local'] : ['majority', 'snapshot'];
    const { level } = (command['readConcern'] ?? {}) as { level?: string };
    if (reading.includes(name)) expect(levels, what).toContain(level);
    const { w } = (command['writeConcern'] ?? {}) as { w?: unknown };
    if (writing.includes(name)) expect(w, what).toBe('majority');
  }
});

it("a reader that has stopped does not hold up the service's own queries, nor close", async () => {
  // The sequencer soon asks for a change stream in the place of the reader's cursor.
  const options = { pollMinMs: 1, pollMaxMs: 5 };
  const { outbox, connection } = await createOutbox({ connect: { maxPoolSize: 2 }, options });
  const messages = outbox.messages()[Symbol.asyncIterator]();
  await outbox.put(order(1), null);
  await messages.next();
  await messages.return?.();
  const started = performance.now();
  for (const _ of range(1, 20)) await connection.collection('orders').findOne();
  await outbox.close();
  // The server lets the last request of the reader's cursor, or of a change stream, wait for five seconds.
  expect(performance.now() - started).toBeLessThan(3_000);
});

describe('timeoutMS, which mongoose 8 hands to the driver,', () => {
  it('ends no put, and no tail that idles for longer', async () => {
    // Long enough for the service's own transaction on a busy machine.
    const timeoutMS = 1_000;
    const connect = { timeoutMS, monitorCommands: true };
    const { outbox, connection } = await createOutbox({ base: mongoose8, connect });
    const errors: unknown[] = [];
    outbox.on('error', ({ error }) => errors.push(error)).on('tail:reopen', ({ error }) => errors.push(error));
    const messages = outbox.messages()[Symbol.asyncIterator]();
    const take = async () => ((await messages.next()).value as Delivered<TestMessage>).data.ordernr;
    await outbox.put(order(1), null);
    expect(await take()).toBe(1);

    // Idle until requests of the connection's own have taken several times the limit.
    const sent = recordCommands(connection);
    const next = take();
    const started = performance.now();
    while (performance.now() - started < 3 * timeoutMS)
      await connection.db?.admin().command({ ping: 1, comment: 'time passes' });
    await connection.transaction(async (session) => void (await outbox.put(order(2), session)));
    expect(await next).toBe(2);
    expect(errors).toEqual([]);
    // The cursor that waited is the one that woke.
    expect(sent.filter(({ name, command }) => name === 'find' && command['tailable'] === true)).toEqual([]);
    await messages.return?.();
  });
});
