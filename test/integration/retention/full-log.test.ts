import type { ConnectOptions } from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { OutboxEvents } from '../../../src/events.js';
import type { ServiceOutboxOptions } from '../../../src/index.js';
import { isThere, readOn, register, removeCheckpoint, setCheckpoint, storedFloor } from '../../support/checkpoints.js';
import { recordCommands } from '../../support/commands.js';
import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { order, orders, putInTransaction } from '../../support/orders.js';
import { otherMongoose } from '../../support/payloads.js';

const MiB = 1024 * 1024;
const note = 'x'.repeat(1_000);

/** An outbox that is held by the consumer `forgotten`, which stands at `position`. */
async function heldLog(options: ServiceOutboxOptions = {}, position = 0, connect: ConnectOptions = {}) {
  const created = await createOutbox({ options: { sizeBytes: MiB, ...options }, connect });
  const { outbox, connection } = created;
  const full: OutboxEvents['log:full'][] = [];
  outbox.on('log:full', (event) => full.push(event));
  await outbox.init();
  if (position > 0) {
    await outbox.put(orders(1, position, note), null);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).log.last === position);
  }
  await setCheckpoint(connection, 'forgotten', position);
  for (let first = position + 1; first <= position + 1_500; first += 300)
    await outbox.put(orders(first, 300, note), null);
  await outbox.start();
  await waitFor(() => full.length > 0);
  return { ...created, full };
}

describe('a log that is full', () => {
  it('says so again, where a stale sequencer has told that it flows', async () => {
    const { outbox, connection } = await heldLog();
    await connection.collection('Outbox.state').updateOne({ _id: 'floor' as never }, { $set: { heldBy: null } });
    await waitFor(async () => (await outbox.status()).log.heldBy === 'forgotten');
  });

  it.each([
    { cap: 'by size', options: {}, position: 0 },
    { cap: 'by size, after it was overwritten', options: {}, position: 1_000 },
    { cap: 'by count', options: { maxMessages: 200 }, position: 0 },
    { cap: 'by count, after it was overwritten', options: { maxMessages: 200 }, position: 500 },
  ])('$cap is told of once, with who holds it and what to do', async ({ options, position }) => {
    const { outbox, connection, full } = await heldLog(options, position);
    const { log, pending } = await outbox.status();
    expect(log.heldBy).toBe('forgotten');
    expect(pending.count).toBeGreaterThan(0);
    expect(pending.count + log.last).toBe(position + 1_500);
    expect(await isThere(connection, position + 1)).toBe(true);
    expect(full).toEqual([
      {
        outbox: 'Outbox',
        heldBy: 'forgotten',
        position,
        unpassedBytes: expect.any(Number) as number,
        unpassedMessages: log.last - position,
        reportedBytes: expect.any(Number) as number,
        reportedMessages: expect.any(Number) as number,
        sizeBytes: log.sizeBytes,
        maxMessages: log.maxMessages,
        pending: expect.any(Number) as number,
        text: expect.stringContaining(`consumer "forgotten" stands at position ${position}`) as string,
      },
    ]);
    const [{ text, unpassedBytes, reportedBytes, pending: waiting }] = full as [OutboxEvents['log:full']];
    expect(text).toContain('outbox.consumers.remove("forgotten")');
    expect(unpassedBytes).toBeGreaterThan(0);
    expect(unpassedBytes).toBeLessThan(log.sizeBytes);
    expect(reportedBytes).toBeLessThanOrEqual(log.sizeBytes);
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThanOrEqual(pending.count);
    expect((await storedFloor(connection))!['position']).toBe(position);
  });

  it('uses most of its size: all but what a stale sequencer may still append, and one message', async () => {
    const { full } = await heldLog();
    expect(full[0]!.unpassedBytes).toBeGreaterThan(MiB - MiB / 4 - 2_000);
  });

  it('lets put go on, in transactions too, and pending grows', async () => {
    const { outbox, connection, full } = await heldLog();
    const before = (await outbox.status()).pending.count;
    await outbox.put(orders(2_000, 50), null);
    await putInTransaction({ outbox, connection }, 3_000, 50);
    const { pending, log } = await outbox.status();
    expect(pending.count).toBe(before + 100);
    expect(log.heldBy).toBe('forgotten');
    expect(full).toHaveLength(1);
  });

  it('flows by itself when the consumer goes on, keeps the order, and is told of again when it is full again', async () => {
    const { outbox, connection, full } = await heldLog();
    const { log: held } = await outbox.status();
    const first = await readOn(connection, 0, held.last);
    await setCheckpoint(connection, 'forgotten', held.last);
    await waitFor(async () => (await outbox.status()).log.last > held.last);
    // Of 1,500 messages about 700 have room, so it halts twice, without having flowed in between.
    await waitFor(async () => (await storedFloor(connection))!['position'] === held.last);
    const second = await readOn(connection, held.last, 1_500);
    const position = held.last + second.length;
    await setCheckpoint(connection, 'forgotten', position);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    await waitFor(async () => (await outbox.status()).log.heldBy === null);
    const third = await readOn(connection, position, 1_500);
    const numbers = [...first, ...second, ...third].map(({ data }) => (data as { ordernr: number }).ordernr);
    expect(numbers).toEqual(Array.from({ length: 1_500 }, (_, index) => index + 1));
    const times = full.length;
    for (let round = 0; round < 4; round += 1) await outbox.put(orders(2_000, 300, note), null);
    await waitFor(() => full.length > times);
    expect((await outbox.status()).log.heldBy).toBe('forgotten');
  });

  it('is told of once while its consumer crawls', async () => {
    const { outbox, connection, full } = await heldLog();
    for (let position = 1; position <= 30; position += 1) {
      const { last } = (await outbox.status()).log;
      await setCheckpoint(connection, 'forgotten', position * 5);
      await waitFor(async () => (await outbox.status()).log.last > last);
      expect(await isThere(connection, position * 5 + 1)).toBe(true);
    }
    expect(full).toHaveLength(1);
    expect((await outbox.status()).log.heldBy).toBe('forgotten');
  });

  it('flows when the consumer is removed', async () => {
    const { outbox, connection } = await heldLog();
    await removeCheckpoint(connection, 'forgotten');
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    await waitFor(async () => (await outbox.status()).log.heldBy === null);
  });

  it('names the next consumer that holds it', async () => {
    const { outbox, connection, full } = await heldLog();
    await setCheckpoint(connection, 'slow', 20);
    await removeCheckpoint(connection, 'forgotten');
    await waitFor(() => full.length === 2);
    expect(full[1]).toMatchObject({ heldBy: 'slow', position: 20 });
    expect((await outbox.status()).log.heldBy).toBe('slow');
  });

  it('flows when it is made larger, where the server can do that', async () => {
    const { outbox, connection } = await heldLog();
    const major = Number.parseInt(String((await connection.db!.admin().serverInfo())['version']), 10);
    if (major < 6) return;
    await connection.db!.command({ collMod: 'Outbox', cappedSize: 8 * MiB });
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    expect(await isThere(connection, 1)).toBe(true);
  });

  it('is left at once on close, shown as held, and taken over by another process', async () => {
    const { outbox, connection, database } = await heldLog({
      closeTimeoutMs: 60_000,
      pollMaxMs: 60_000,
      pollMinMs: 60_000,
    });
    const closing = performance.now();
    await outbox.close();
    expect(performance.now() - closing).toBeLessThan(5_000);
    const next = await createOutbox({ database });
    expect((await next.outbox.status()).log.heldBy).toBe('forgotten');
    const full: OutboxEvents['log:full'][] = [];
    next.outbox.on('log:full', (event) => full.push(event));
    await next.outbox.start();
    await waitFor(() => full.length === 1);
    await removeCheckpoint(connection, 'forgotten');
    await waitFor(async () => (await next.outbox.status()).pending.count === 0);
    await waitFor(async () => (await next.outbox.status()).log.heldBy === null);
  });

  it('is left alone by a sequencer that has lost its lease meanwhile', async () => {
    const { outbox, connection } = await heldLog({ leaseMs: 600, pollMinMs: 1 }, 0, { monitorCommands: true });
    const lost = new Promise((resolve) => outbox.on('sequencer:lost', resolve));
    await connection
      .collection('Outbox.state')
      .updateOne(
        { _id: 'sequencer' as never },
        { $set: { owner: 'another', expiresAt: new Date(Date.now() + 60_000) }, $inc: { epoch: 1 } },
      );
    await lost;
    const sent = recordCommands(connection);
    for (let round = 0; round < 200; round += 1) await connection.db!.command({ ping: 1 });
    // What was under way when it was lost, at most.
    expect(sent.filter(({ name, collection }) => name === 'find' && collection === 'Outbox.state').length).toBeLessThan(
      3,
    );
  });
});

it('with nothing unpassed the largest messages are appended one by one', async () => {
  const { outbox, connection } = await createOutbox({ options: { sizeBytes: MiB } });
  await outbox.start();
  for (let ordernr = 1; ordernr <= 40; ordernr += 1) {
    await setCheckpoint(connection, 'prompt', ordernr - 1);
    await outbox.put(order(ordernr, 'x'.repeat(MiB / 8 - 300)), null);
    await waitFor(() => isThere(connection, ordernr));
  }
  expect((await outbox.status()).log).toMatchObject({ last: 40, heldBy: null });
});

it('without consumers the floor rises with the log, seldom, and nothing is held', async () => {
  const { outbox, connection } = await createOutbox({ options: { sizeBytes: MiB } });
  const full: unknown[] = [];
  outbox.on('log:full', (event) => full.push(event));
  for (let first = 1; first <= 6_000; first += 500) await outbox.put(orders(first, 500, note), null);
  await outbox.start();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  const { log } = await outbox.status();
  const floor = await storedFloor(connection);
  expect(full).toEqual([]);
  expect(floor!['position']).toBeGreaterThanOrEqual(log.first - 1);
  expect(floor!['position']).toBeLessThan(log.last);
  // Both of the same entry, or room would be reckoned wrongly.
  const entry = await connection.collection('Outbox').findOne({ _id: floor!['position'] as never });
  expect(String(floor!['bytes'])).toBe(String(entry!['bytes']));
  // About six times the log, in batches of up to a quarter of it and strides of at least a sixteenth.
  expect(floor!['raised']).toBeGreaterThan(3);
  expect(floor!['raised']).toBeLessThan(7 * 16);
});

it('all this works with mongoose 8, and where the connection has a time limit for its commands', async () => {
  const connection = await createConnection({ base: await otherMongoose(), connect: { timeoutMS: 5_000 } });
  const { outbox } = await createOutbox({ connection, options: { sizeBytes: MiB } });
  const errors: unknown[] = [];
  outbox.on('error', ({ error }) => errors.push(error));
  await outbox.init();
  await setCheckpoint(connection, 'slow', 0);
  await outbox.put(orders(1, 1_500, note), null);
  await outbox.start();
  await waitFor(async () => (await outbox.status()).log.heldBy === 'slow');
  const { last } = (await outbox.status()).log;
  await setCheckpoint(connection, 'slow', last);
  await waitFor(async () => (await outbox.status()).log.last > last);
  await readOn(connection, last, 100);
  await removeCheckpoint(connection, 'slow');
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  expect(await register(connection, 'new')).toBe((await storedFloor(connection))!['position']);
  expect(errors).toEqual([]);
});
