import { describe, expect, it } from 'vitest';

import { largestMessage } from '../../../src/schema/pending-message.js';
import type { Delivered } from '../../../src/index.js';
import { collect, collectAll, createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { recordCommands } from '../../support/commands.js';
import { expectInOrder, numbersOf, order, orders, range } from '../../support/orders.js';
import { bsonSize } from '../../support/raw-log.js';

const MiB = 1024 * 1024;
/** What an order takes in pending beside its note, and the log on top of that. */
const envelope = 300;

describe('the smallest log', () => {
  it('takes the largest messages, wraps many times, and a reader that keeps up misses none', async () => {
    const { outbox } = await createOutbox({ options: { sizeBytes: MiB } });
    const note = 'x'.repeat(largestMessage(MiB) - envelope);
    await expect(outbox.put(order(1, 'x'.repeat(largestMessage(MiB))), null)).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
    const messages: Delivered<TestMessage>[] = [];
    const reading = (async () => {
      for await (const message of outbox.messages()) messages.push(message);
    })();
    // Not faster than it is read: 60 messages are seven times the log.
    for (let ordernr = 1; ordernr <= 60; ordernr += 5) {
      await outbox.put(orders(ordernr, 5, note), null);
      await waitFor(() => messages.length === ordernr + 4);
    }
    const { log } = await outbox.status();
    // What is still there is read from the beginning without an error.
    const rest = await collectAll(outbox.messages('beginning', { live: false }));
    await outbox.close();
    await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, 60));
    expect(log).toMatchObject({ last: 60, sizeBytes: MiB });
    expect(log.first).toBeGreaterThan(50);
    expect(log.entries).toBe(61 - log.first);
    expectInOrder(rest, log.first);
  });

  it('takes a backlog of many times its size, in batches of at most a quarter of it', async () => {
    const { outbox, connection } = await createOutbox({
      options: { sizeBytes: MiB },
      connect: { monitorCommands: true },
    });
    for (let ordernr = 1; ordernr <= 4_000; ordernr += 500)
      await outbox.put(orders(ordernr, 500, 'x'.repeat(900)), null);
    const sent = recordCommands(connection);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    const appends = sent.filter(({ name, collection }) => name === 'insert' && collection === 'Outbox');
    const sizes = appends.map(({ command }) =>
      (command['documents'] as object[]).reduce((sum, entry) => sum + bsonSize(entry), 0),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MiB / 4);
    // As much as fits, too: about 240 of these messages.
    expect(appends.length).toBeLessThan(25);
    const { log } = await outbox.status();
    expect(log.last).toBe(4_000);
    const rest = await collectAll(outbox.messages('beginning', { live: false }));
    expectInOrder(rest, log.first);
    expect(numbersOf(rest)).toEqual(range(log.first, log.entries));
  });
});

it('a log with a cap by count keeps at most so many, and takes at most a quarter of them at once', async () => {
  const { outbox, connection } = await createOutbox({
    options: { maxMessages: 100 },
    connect: { monitorCommands: true },
  });
  await outbox.put(orders(1, 1_000), null);
  const sent = recordCommands(connection);
  await outbox.start();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  const appends = sent.filter(({ name, collection }) => name === 'insert' && collection === 'Outbox');
  expect(appends.map(({ command }) => (command['documents'] as object[]).length)).toEqual(Array(40).fill(25));
  expect((await outbox.status()).log).toMatchObject({ first: 901, last: 1_000, entries: 100, maxMessages: 100 });
  const rest = await collectAll(outbox.messages('beginning', { live: false }));
  expect(numbersOf(rest)).toEqual(range(901, 100));
});

it('a backlog is moved in batches of the size asked for, 1,000 by default', async () => {
  const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
  await outbox.put(orders(1, 2_500), null);
  const sent = recordCommands(connection);
  const messages = await collect(outbox.messages(), 2_500);
  expectInOrder(messages);
  expect(numbersOf(messages)).toEqual(range(1, 2_500));
  const appends = sent.filter(({ name, collection }) => name === 'insert' && collection === 'Outbox');
  expect(appends.map(({ command }) => (command['documents'] as object[]).length)).toEqual([1_000, 1_000, 500]);
});

it('a log of more than 2 GiB works like any other', async () => {
  const sizeBytes = 3 * 1024 * MiB;
  const { outbox } = await createOutbox({ options: { sizeBytes } });
  await outbox.put(orders(1, 3), null);
  expectInOrder(await collect(outbox.messages(), 3));
  expect((await outbox.status()).log).toMatchObject({ first: 1, last: 3, sizeBytes });
});

describe('messages of which only one fits into a reply of the server', () => {
  const note = 'x'.repeat(9 * MiB);

  it('are all read to the end of the log', async () => {
    const { outbox } = await createOutbox();
    for (const ordernr of [1, 2, 3]) await outbox.put(order(ordernr, note), null);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    expect(numbersOf(await collectAll(outbox.messages('beginning', { live: false })))).toEqual([1, 2, 3]);
  });

  it('reach a live reader without waiting for something else to be put', async () => {
    const { outbox } = await createOutbox({ options: { safetyPollMs: 600_000 } });
    await outbox.put(orders(1, 1), null);
    await outbox.put(order(2, note), null);
    await outbox.put(order(3, 'x'.repeat(16 * MiB - 64 * 1024 - envelope)), null);
    expect(numbersOf(await collect(outbox.messages(), 3))).toEqual([1, 2, 3]);
  });
});
