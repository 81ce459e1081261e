import { describe, expect, it } from 'vitest';

import type { Cursor, Delivered } from '../../../src/index.js';
import {
  collect,
  collectAll,
  createOutbox,
  waitFor,
  type TestMessage,
  type TestOutbox,
} from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order, orders, range } from '../../support/orders.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';

const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1) + seconds * 1_000);

/** A log of at most 100 messages of which `count` were written, one a second, by nobody who sequences. */
async function wrappedLog(count = 150): Promise<TestOutbox<TestMessage>> {
  const created = await createOutbox({ options: { maxMessages: 100, sequencer: false } });
  await created.outbox.init();
  const entries = range(1, count).map((position) =>
    entryAt(position, { created: at(position), data: { ordernr: position } }),
  );
  await exactCollection(created.connection, 'Outbox').insertMany(entries);
  return created;
}

const read = async ({ outbox }: TestOutbox<TestMessage>, cursor: Cursor): Promise<number[]> =>
  numbersOf(await collectAll(outbox.messages(cursor, { live: false })));

describe('POSITION_LOST, with the oldest position that is there, instead of a gap', () => {
  it.each<{ what: string; cursor: Cursor }>([
    { what: 'a position whose successor was overwritten', cursor: 49 },
    { what: 'a position long gone', cursor: 0 },
    { what: 'a position beyond the last: the log was made anew', cursor: 151 },
    { what: 'a Date before the oldest entry', cursor: at(20) },
    { what: 'the Date of the oldest entry: others of that moment may be gone', cursor: at(51) },
  ])('$what', async ({ cursor }) => {
    const created = await wrappedLog();
    await expect(read(created, cursor)).rejects.toMatchObject({
      name: 'OutboxError',
      code: 'POSITION_LOST',
      retryable: false,
      oldest: 51,
    });
    // The live reader and the stream end the same way.
    await expect(created.outbox.messages(cursor)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ oldest: 51 });
  });

  it('but not where nothing is missing', async () => {
    const created = await wrappedLog();
    expect(await read(created, 50)).toEqual(range(51, 100));
    expect(await read(created, 150)).toEqual([]);
    expect(await read(created, at(51.001))).toEqual(range(52, 99));
    expect(await read(created, at(150))).toEqual([150]);
    expect(await read(created, at(151))).toEqual([]);
  });

  it('nor from the beginning: that is the oldest that is there', async () => {
    const created = await wrappedLog();
    expect(await read(created, 'beginning')).toEqual(range(51, 100));
    expect(numbersOf(await collect(created.outbox.messages(), 100))).toEqual(range(51, 100));
  });

  it('for a number where there has never been a message', async () => {
    const { outbox } = await createOutbox();
    await expect(collectAll(outbox.messages(1, { live: false }))).rejects.toMatchObject({
      code: 'POSITION_LOST',
      oldest: 1,
    });
  });
});

it('a reader that falls behind until it is overtaken gets what it had read, in order, and then POSITION_LOST', async () => {
  const { outbox } = await createOutbox({ options: { sizeBytes: 1024 * 1024 } });
  const messages: Delivered<TestMessage>[] = [];
  const overtaken = (async () => {
    for await (const message of outbox.messages()) {
      messages.push(message);
      if (message.position > 1) continue;
      // Held up at its first message while the log wraps.
      for (let first = 2; first <= 3_000; first += 500) await outbox.put(orders(first, 500, 'x'.repeat(900)), null);
      await waitFor(async () => (await outbox.status()).pending.count === 0);
    }
  })();
  await outbox.put(order(1), null);
  const error = await overtaken.then(
    () => undefined,
    (reason: unknown) => reason as { code: string; oldest: number },
  );
  const { first } = (await outbox.status()).log;
  expect(error).toMatchObject({ code: 'POSITION_LOST', oldest: first });
  expectInOrder(messages);
  expect(messages.length).toBeLessThan(first);
  // It can go on from there.
  expectInOrder(await collect(outbox.messages(error!.oldest - 1), 10), error!.oldest);
});

it('no reader skips a message silently, however fast the log wraps below it', async () => {
  const { outbox } = await createOutbox({ options: { sizeBytes: 1024 * 1024 } });
  await outbox.start();
  let putting = true;
  const writer = (async () => {
    for (let ordernr = 1; putting; ordernr += 200) await outbox.put(orders(ordernr, 200, 'x'.repeat(900)), null);
  })();
  const reader = async (): Promise<number> => {
    let position = (await outbox.status()).log.first;
    let seen = 0;
    while (putting) {
      try {
        for await (const message of outbox.messages(position, { live: false })) {
          expect(message.position).toBe(position + 1);
          position = message.position;
          seen += 1;
          // Now and then so slow that the log overtakes it.
          if (position % 997 === 0) await waitFor(async () => !putting || (await outbox.status()).log.first > position);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'POSITION_LOST', oldest: expect.any(Number) as number });
        position = Math.max(position, (error as { oldest: number }).oldest);
      }
    }
    return seen;
  };
  // While it wraps, the status is whole and never fails.
  const watcher = async (): Promise<void> => {
    while (putting) {
      const { log } = await outbox.status();
      expect(log.entries).toBe(log.last === 0 ? 0 : log.last - log.first + 1);
    }
  };
  const readers = [reader(), reader(), watcher()] as const;
  await waitFor(async () => (await outbox.status()).log.last > 5_000, 20_000);
  putting = false;
  await writer;
  const [one, two] = await Promise.all(readers);
  expect(one + two).toBeGreaterThan(1_000);
});

describe('a log that is dropped and made anew while it is read', () => {
  it.each([
    { by: 'a cursor', connect: {} },
    { by: 'polling', connect: { maxPoolSize: 1 } },
  ])('ends the reader with POSITION_LOST, never with messages of another log: woken by $by', async ({ connect }) => {
    const { outbox, connection, database } = await createOutbox({
      connect,
      options: { sequencer: false, safetyPollMs: 300, pollMaxMs: 50 },
    });
    const writer = await createOutbox({ database });
    const messages: Delivered<TestMessage>[] = [];
    const ended = (async () => {
      for await (const message of outbox.messages()) messages.push(message);
    })().catch((error: unknown) => error);
    await writer.outbox.put(orders(1, 50), null);
    await writer.outbox.start();
    await waitFor(() => messages.length === 50);
    await writer.outbox.close();
    await connection.collection('Outbox').drop();
    const anew = await createOutbox({ database });
    await anew.outbox.start();
    await anew.outbox.put(orders(1_001, 5), null);
    expect(await ended).toMatchObject({ code: 'POSITION_LOST' });
    expect(numbersOf(messages)).toEqual(range(1, 50));
  });

  it('or only dropped', async () => {
    const { outbox, connection } = await createOutbox({ options: { sequencer: false, safetyPollMs: 300 } });
    await outbox.init();
    await exactCollection(connection, 'Outbox').insertMany([entryAt(1), entryAt(2)] as never[]);
    const iterator = outbox.messages(2)[Symbol.asyncIterator]();
    const next = iterator.next().catch((error: unknown) => error);
    await waitFor(async () => (await outbox.status()).log.last === 2);
    await connection.collection('Outbox').drop();
    expect(await next).toMatchObject({ code: 'POSITION_LOST' });
  });
});
