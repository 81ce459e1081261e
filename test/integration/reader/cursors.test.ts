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
import { expectInOrder, numbersOf, order, orders, putInTransaction, range } from '../../support/orders.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';

const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1) + seconds * 1_000);

/** A log with an entry at each of these times, and nobody who sequences. */
async function logOf(times: readonly Date[]): Promise<TestOutbox<TestMessage>> {
  const created = await createOutbox();
  await created.outbox.init();
  const entries = times.map((created, index) => entryAt(index + 1, { created, data: { ordernr: index + 1 } }));
  if (entries.length > 0) await exactCollection(created.connection, 'Outbox').insertMany(entries);
  return created;
}

const read = async ({ outbox }: TestOutbox<TestMessage>, cursor?: Cursor): Promise<number[]> =>
  numbersOf(await collectAll(outbox.messages(cursor, { live: false })));

describe('a log of which nothing was overwritten is read', () => {
  it('from the beginning by default, and from any position on, exactly', async () => {
    const created = await logOf(range(1, 5).map(at));
    expect(await read(created)).toEqual([1, 2, 3, 4, 5]);
    expect(await read(created, 'beginning')).toEqual([1, 2, 3, 4, 5]);
    expect(await read(created, 0)).toEqual([1, 2, 3, 4, 5]);
    expect(await read(created, 3)).toEqual([4, 5]);
    expect(await read(created, 5)).toEqual([]);
    expect(await read(created, 'end')).toEqual([]);
  });

  it('from a Date on, inclusively: all messages of its millisecond come', async () => {
    const times = [at(1), at(2), at(2), at(2), at(3), at(3), at(9)];
    const created = await logOf(times);
    expect(await read(created, new Date(0))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await read(created, at(1))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await read(created, at(1.001))).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await read(created, at(2))).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await read(created, at(2.001))).toEqual([5, 6, 7]);
    expect(await read(created, at(5))).toEqual([7]);
    expect(await read(created, at(9))).toEqual([7]);
    expect(await read(created, at(9.001))).toEqual([]);
  });

  it.each([0, 1, 2, 3, 100])('from every Date of a log of %i entries as a plain filter would', async (count) => {
    const times = range(0, count).map((index) => at(Math.floor(index / 3) * 2));
    const created = await logOf(times);
    const probes = count === 100 ? [-1, 0, 1, 2, 33, 34, 64, 65, 66, 67] : range(-1, 4);
    for (const seconds of probes) {
      const expected = range(1, count).filter((position) => times[position - 1]! >= at(seconds));
      expect([seconds, await read(created, at(seconds))]).toEqual([seconds, expected]);
    }
  });

  it('a Date in the future is a filter, not a position: what is created before it is left out', async () => {
    const created = await createOutbox();
    const { outbox, connection } = created;
    await outbox.start();
    const tomorrow = new Date(Date.now() + 86_400_000);
    const reading = collect(outbox.messages(tomorrow), 1);
    const all = collect(outbox.messages(), 2);
    await putInTransaction(created, 1, 2);
    await all;
    await outbox.close();
    // A primary whose clock runs ahead of that day.
    await exactCollection(connection, 'Outbox').insertMany([entryAt(3, { created: tomorrow, last: true })] as never[]);
    await reading;
    const again = await createOutbox({ connection });
    const [message] = await collect(again.outbox.messages(tomorrow), 1);
    expect(message).toMatchObject({ position: 3, created: tomorrow });
  });
});

describe('a live reader', () => {
  it('catches up over several pages and goes on with what comes, without a seam', async () => {
    const { outbox, connection } = await createOutbox();
    const many = 5_000;
    for (let first = 1; first <= many; first += 1_000) await outbox.put(orders(first, 1_000), null);
    const reading = collect(outbox.messages(), many + 300);
    for (let first = many + 1; first <= many + 300; first += 20)
      await putInTransaction({ outbox, connection }, first, 20);
    const messages = await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, many + 300));
  });

  it('from the end gets only what enters the log from then on', async () => {
    const { outbox, connection } = await createOutbox();
    await putInTransaction({ outbox, connection }, 1, 3);
    await collect(outbox.messages(), 3);
    const iterator = outbox.messages('end')[Symbol.asyncIterator]();
    const next = iterator.next();
    await putInTransaction({ outbox, connection }, 4);
    // Whether the reader or the put was first: nothing older than the end comes.
    await putInTransaction({ outbox, connection }, 5);
    expect([4, 5]).toContain((await next).value?.data.ordernr);
  });

  it('of an empty outbox waits for the first message', async () => {
    const { outbox, connection } = await createOutbox();
    const reading = Promise.all([
      collect(outbox.messages(), 1),
      collect(outbox.messages('end'), 1),
      collect(outbox.messages(0), 1),
    ]);
    await waitFor(async () => (await outbox.status()).sequencer.owner);
    await putInTransaction({ outbox, connection }, 1);
    for (const messages of await reading) expect(numbersOf(messages)).toEqual([1]);
  });

  it('resumes after a restart by position exactly, and by Date without missing any', async () => {
    const first = await createOutbox();
    for (const ordernr of range(1, 30)) await putInTransaction(first, ordernr);
    const before: Delivered<TestMessage>[] = await collect(first.outbox.messages(), 17);
    const last = before.at(-1)!;
    await first.outbox.close();
    const second = await createOutbox({ database: first.database });
    const byPosition = await collect(second.outbox.messages(last.position), 13);
    expect(numbersOf(byPosition)).toEqual(range(18, 13));
    const byDate = await collectAll(second.outbox.messages(last.created, { live: false }));
    expect(byDate.every(({ created }) => created >= last.created)).toBe(true);
    expect(numbersOf(byDate)).toEqual(expect.arrayContaining(range(17, 14)));
  });
});

describe('live: false', () => {
  it('ends at the end of the log, and does not wait for what is pending', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.put(orders(1, 10), null);
    expect(await collectAll(outbox.messages('beginning', { live: false }))).toEqual([]);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    await putInTransaction({ outbox, connection }, 11);
    const messages = await collectAll(outbox.messages(4, { live: false }));
    expectInOrder(messages, 5);
  });

  it('ends although the log keeps growing', async () => {
    const { outbox } = await createOutbox();
    await outbox.start();
    let putting = true;
    const writer = (async () => {
      for (let ordernr = 1; putting; ordernr += 50) await outbox.put(orders(ordernr, 50), null);
    })();
    await waitFor(async () => (await outbox.status()).log.last > 500);
    const messages = await collectAll(outbox.messages('beginning', { live: false }));
    putting = false;
    await writer;
    expectInOrder(messages);
    expect(messages.length).toBeGreaterThan(500);
  });
});

describe('types', () => {
  it('delivers only those, and its positions have gaps where the others are', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(
      [
        order(1),
        { type: 'order_shipped', data: { ordernr: 1 } },
        order(2),
        { type: 'order_shipped', data: { ordernr: 2 } },
      ],
      null,
    );
    const shipped = await collect(outbox.messages('beginning', { types: ['order_shipped'] }), 2);
    expect(shipped.map(({ type, position }) => [type, position])).toEqual([
      ['order_shipped', 2],
      ['order_shipped', 4],
    ]);
    // A type of its own for the compiler, too.
    shipped satisfies Delivered<{ type: 'order_shipped'; data: { ordernr: number } }>[];
    expect(numbersOf(await collectAll(outbox.messages(1, { types: ['order_created'], live: false })))).toEqual([2]);
  });
});

describe('a wrong option is refused at the call', () => {
  it.each<{ what: string; options: unknown; code: string; text: string }>([
    { what: 'an unknown type', options: { types: ['nope'] }, code: 'UNKNOWN_TYPE', text: 'types names "nope"' },
    { what: 'no types', options: { types: [] }, code: 'INVALID_OPTION', text: 'got an empty array' },
    { what: 'types as text', options: { types: 'order_created' }, code: 'INVALID_OPTION', text: 'got "order_created"' },
    { what: 'an unknown option', options: { from: 1 }, code: 'INVALID_OPTION', text: 'option from is unknown' },
    { what: 'a signal that is none', options: { signal: {} }, code: 'INVALID_OPTION', text: 'must be an AbortSignal' },
    { what: 'no object', options: 5, code: 'INVALID_OPTION', text: 'got 5' },
  ])('$what', async ({ options, code, text }) => {
    const { outbox } = await createOutbox();
    for (const call of [() => outbox.messages(0, options as never), () => outbox.tail(0, options as never)]) {
      expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(text) as string }));
    }
    expect(() => outbox.tail(-1)).toThrow(expect.objectContaining({ code: 'INVALID_CURSOR' }));
    expect(() => outbox.messages(0, { live: 'no' } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
    expect(() => outbox.tail(0, { live: false } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});

describe('signal', () => {
  it('ends a waiting reader without an error, and one that is given aborted at once', async () => {
    const { outbox } = await createOutbox();
    const controller = new AbortController();
    const iterator = outbox.messages('end', { signal: controller.signal })[Symbol.asyncIterator]();
    const next = iterator.next();
    await waitFor(async () => (await outbox.status()).sequencer.owner);
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await collectAll(outbox.messages('beginning', { signal: AbortSignal.abort() }))).toEqual([]);
    // Others go on.
    const reading = collect(outbox.messages(), 1);
    await outbox.put(order(1), null);
    expect(numbersOf(await reading)).toEqual([1]);
  });
});
