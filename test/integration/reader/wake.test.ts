import type { Connection } from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { Delivered, OutboxEvents } from '../../../src/index.js';
import { recordCommands, type SentCommand } from '../../support/commands.js';
import { collect, createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order, putInTransaction, range } from '../../support/orders.js';

const minutes = 600_000;
const isTail = ({ command }: SentCommand) => command['tailable'] === true;
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** How long a query of the service takes, in milliseconds: the median of many. */
async function queryMs(connection: Connection): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 30; count += 1) {
    const before = performance.now();
    await connection.collection('anything').findOne({});
    times.push(performance.now() - before);
  }
  return median(times);
}

describe('many readers', () => {
  it('of one outbox and process share one tailable cursor, and each gets everything', async () => {
    const { outbox, connection } = await createOutbox({
      connect: { monitorCommands: true },
      options: { safetyPollMs: minutes },
    });
    const sent = recordCommands(connection);
    const reading = range(0, 20).map(() => collect(outbox.messages(), 30));
    await waitFor(() => sent.some(isTail));
    for (let first = 1; first <= 30; first += 3) await putInTransaction({ outbox, connection }, first, 3);
    for (const messages of await Promise.all(reading)) {
      expectInOrder(messages);
      expect(numbersOf(messages)).toEqual(range(1, 30));
    }
    expect(sent.filter(isTail)).toHaveLength(1);
  });

  it('more than the pool has connections leave the queries of the service as fast as they are without them', async () => {
    const { outbox, connection } = await createOutbox({ connect: { maxPoolSize: 10 } });
    await outbox.init();
    const without = await queryMs(connection);
    const counts = range(0, 50).map(() => 0);
    const reading = counts.map(async (_, index) => {
      for await (const message of outbox.messages()) counts[index] = message.position;
    });
    await putInTransaction({ outbox, connection }, 1);
    await waitFor(() => counts.every((count) => count === 1));
    // With a cursor for each of them a query took half a second and more.
    expect(await queryMs(connection)).toBeLessThan(5 * without + 30);
    await outbox.close();
    await Promise.all(reading);
  });

  it('close the cursor when the last of them ends, and open one again when the next begins', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    await outbox.start();
    for (const round of [1, 2]) {
      const one = outbox.messages('end')[Symbol.asyncIterator]();
      const two = outbox.messages('end')[Symbol.asyncIterator]();
      const waiting = [one.next(), two.next()];
      await waitFor(() => sent.filter(isTail).length === round);
      await one.return!();
      expect(sent.some(({ name, collection }) => name === 'killCursors' && collection === 'Outbox')).toBe(round > 1);
      await two.return!();
      await waitFor(
        () => sent.filter(({ name, collection }) => name === 'killCursors' && collection === 'Outbox').length === round,
      );
      await Promise.all(waiting);
    }
    expect(sent.filter(isTail)).toHaveLength(2);
  });
});

describe('the wake-up', () => {
  it('is at once: the time from commit to delivery is far below any poll', async () => {
    const { outbox, connection } = await createOutbox({
      connect: { monitorCommands: true },
      options: { safetyPollMs: minutes },
    });
    const sent = recordCommands(connection);
    const iterator = outbox.messages('end')[Symbol.asyncIterator]();
    let next = iterator.next();
    await waitFor(() => sent.some(isTail));
    const delays: number[] = [];
    for (const ordernr of range(1, 15)) {
      await putInTransaction({ outbox, connection }, ordernr);
      const committed = performance.now();
      await next;
      delays.push(performance.now() - committed);
      next = iterator.next();
    }
    // A few milliseconds on an idle machine.
    expect(median(delays)).toBeLessThan(300);
  });

  it('an idle reader and sequencer send a handful of commands in three seconds', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    const reading = collect(outbox.messages('end'), 1);
    await waitFor(() => sent.some(isTail));
    const watches = ({ name, collection }: SentCommand) => name === 'getMore' && collection === 'Outbox.pending';
    await waitFor(() => sent.some(watches));
    const since = performance.now();
    const before = sent.length;
    await waitFor(() => performance.now() - since > 3_000);
    // Renewals of the lease, and the cursors' requests, which the server holds for five seconds each.
    const idle = sent.slice(before).map(({ name, collection }) => `${name} ${collection}`);
    expect(idle.length, idle.join(', ')).toBeLessThanOrEqual(10);
    await outbox.put(order(1), null);
    await reading;
  });

  it('goes on after the server has killed its cursor: tail:reopen is emitted, and nothing is missed', async () => {
    const { outbox, connection } = await createOutbox({
      connect: { monitorCommands: true },
      options: { safetyPollMs: minutes },
    });
    const sent = recordCommands(connection);
    const reopened: OutboxEvents['tail:reopen'][] = [];
    outbox.on('tail:reopen', (event) => reopened.push(event));
    const messages: Delivered<TestMessage>[] = [];
    const reading = (async () => {
      for await (const message of outbox.messages()) messages.push(message);
    })();
    for (const round of [1, 2]) {
      const lastTail = () => sent.findLast(isTail)?.command['lsid'] as object | undefined;
      await waitFor(() => sent.filter(isTail).length === round);
      const killed = connection
        .getClient()
        .db('admin')
        .command({ killSessions: [{ id: (lastTail() as { id: unknown }).id }] });
      await putInTransaction({ outbox, connection }, 2 * round - 1);
      await killed;
      await waitFor(() => reopened.length >= round);
      await putInTransaction({ outbox, connection }, 2 * round);
      await waitFor(() => messages.length === 2 * round);
    }
    expect(reopened[0]).toMatchObject({
      outbox: 'Outbox',
      reason: 'the cursor was lost',
      error: expect.any(Error) as Error,
    });
    await outbox.close();
    await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual([1, 2, 3, 4]);
  });

  it('while the log wraps below the cursor, which the server then ends, a reader at the end loses nothing', async () => {
    const { outbox } = await createOutbox({ options: { maxMessages: 100 } });
    const messages: Delivered<TestMessage>[] = [];
    const reading = (async () => {
      for await (const message of outbox.messages()) messages.push(message);
    })();
    for (let ordernr = 1; ordernr <= 400; ordernr += 20) {
      await outbox.put(
        range(ordernr, 20).map((number) => order(number)),
        null,
      );
      await waitFor(() => messages.length === ordernr + 19);
    }
    await outbox.close();
    await reading;
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual(range(1, 400));
  });
});
