import { describe, expect, it } from 'vitest';

import {
  collect,
  collectAll,
  createOutbox,
  waitFor,
  type TestMessage,
  type TestOutbox,
} from '../../support/create-outbox.js';
import { startMover } from '../../support/movers.js';
import { expectInOrder, numbersOf, orders, range } from '../../support/orders.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';

const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1) + seconds * 1_000);
const stray = -1;

/**
 * A log of at most 100 messages that holds 51 to 150 and, inserted after these, what a paused process wrote to positions
 * that had been overwritten. Each of those takes the place of the oldest.
 */
async function logWithStrays(positions: readonly number[]): Promise<TestOutbox<TestMessage> & { oldest: number }> {
  const created = await createOutbox({ options: { maxMessages: 100, sequencer: false } });
  await created.outbox.init();
  const log = exactCollection(created.connection, 'Outbox');
  const entries = range(1, 150).map((position) =>
    entryAt(position, { created: at(position), data: { ordernr: position } }),
  );
  await log.insertMany(entries);
  for (const position of positions)
    await log.insertOne(entryAt(position, { created: at(position), data: { ordernr: stray }, last: true }));
  return { ...created, oldest: 51 + positions.length };
}

describe.each([
  { where: 'far below the oldest', positions: [3, 4, 5] },
  { where: 'right before what is the oldest then', positions: [50] },
  { where: 'a run that ends right before what was the oldest', positions: [48, 49, 50] },
  { where: 'of two processes', positions: [10, 30, 11, 31] },
  // 51 goes when it is written, so that it stands before 52.
  { where: 'one that takes the place of its own successor', positions: [50, 51] },
])('stray entries $where', ({ positions }) => {
  it('are seen by no reader, wherever it begins', async () => {
    const created = await logWithStrays(positions);
    const { outbox, oldest } = created;
    const whole = range(oldest, 151 - oldest);
    expect(numbersOf(await collectAll(outbox.messages('beginning', { live: false })))).toEqual(whole);
    expect(numbersOf(await collect(outbox.messages(), whole.length))).toEqual(whole);
    for (let cursor = 0; cursor < oldest - 1; cursor += 1) {
      const outcome = await collectAll(outbox.messages(cursor, { live: false })).catch((error: unknown) => error);
      expect(outcome).toMatchObject({ code: 'POSITION_LOST', oldest });
    }
    expect(numbersOf(await collectAll(outbox.messages(oldest - 1, { live: false })))).toEqual(whole);
    for (const seconds of [1, 3, 10, 48, 50, oldest]) {
      const outcome = await collectAll(outbox.messages(at(seconds), { live: false })).catch((error: unknown) => error);
      expect(outcome).toMatchObject({ code: 'POSITION_LOST', oldest });
    }
    expect(numbersOf(await collectAll(outbox.messages(at(oldest + 1), { live: false })))).toEqual(whole.slice(1));
  });

  it('are in no figure of the status', async () => {
    const { outbox, oldest, connection } = await logWithStrays(positions);
    const sizes = await connection
      .collection('Outbox')
      .aggregate([
        { $match: { _id: { $gte: oldest } } },
        { $group: { _id: null, first: { $min: '$bytes' }, last: { $max: '$bytes' } } },
      ])
      .toArray();
    const { log } = await outbox.status();
    expect(log).toMatchObject({ first: oldest, last: 150, entries: 151 - oldest });
    // These entries count 200 bytes each, whatever they take; the size of the first is its real one.
    expect(log.bytes).toBeGreaterThan(Number(sizes[0]!['last']) - Number(sizes[0]!['first']));
    expect(log.bytes).toBeLessThan(Number(sizes[0]!['last']) - Number(sizes[0]!['first']) + 300);
  });

  it('are passed over by readers that are there when they come, and by the sequencer, which removes them', async () => {
    const { outbox, connection, oldest } = await logWithStrays([]);
    const reading = collect(outbox.messages(140), 15);
    const log = exactCollection(connection, 'Outbox');
    for (const position of positions) await log.insertOne(entryAt(position, { data: { ordernr: stray } }));
    await outbox.put(orders(151, 5), null);
    startMover(connection, 2);
    const messages = await reading;
    expect(messages.map(({ position }) => position)).toEqual(range(141, 15));
    expect(numbersOf(messages)).toEqual(range(141, 15));
    await waitFor(async () => {
      const { first } = (await outbox.status()).log;
      return first > oldest && (await log.countDocuments({ _id: { $lt: first } as never })) === 0;
    });
    expectInOrder(await collectAll(outbox.messages('beginning', { live: false })), (await outbox.status()).log.first);
  });
});
