import type { Connection } from 'mongoose';

import type { Consumer, Publisher, ServiceOutbox } from '../src/index.js';
import { message, open, type Message } from './setup.js';

/** Waits for the consumer to have run `count` messages. @returns messages per second, from its start to then */
export async function rate(count: number, start: (ran: (messages: number) => void) => Consumer): Promise<number> {
  let left = count;
  const started = performance.now();
  let resolve = (): void => undefined;
  const done = new Promise<void>((end) => (resolve = end));
  const consumer = start((messages) => {
    left -= messages;
    if (left <= 0) resolve();
  });
  await done;
  const seconds = (performance.now() - started) / 1_000;
  await consumer.close();
  return count / seconds;
}

/** Reads the same entries as a relay with the plain driver. @returns entries per second */
async function plainPages(connection: Connection, count: number): Promise<number> {
  const started = performance.now();
  let position = 0;
  while (position < count) position = Number((await plainPage(connection, position)).at(-1)?._id);
  return count / ((performance.now() - started) / 1_000);
}

/** A page of entries of the log as a service would read it that has the driver alone. */
export function plainPage(connection: Connection, position: number) {
  return connection
    .collection('bench')
    .find({ _id: { $gt: position as never } }, { sort: { _id: 1 }, limit: 2_000, batchSize: 2_000 })
    .toArray();
}

/** Puts `count` messages and waits until they are in the log. */
export async function fill(outbox: ServiceOutbox<Message>, count: number): Promise<void> {
  await outbox.start();
  const batch = 500;
  for (let first = 0; first < count; first += batch)
    await outbox.put(
      Array.from({ length: batch }, (_, index) => ({
        ...message(first + index),
        key: `order-${(first + index) % 5_000}`,
      })),
      null,
    );
  while ((await outbox.status()).log.last < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

export interface ConsumerRates {
  /** All in messages per second. */
  plain: number;
  relay: number;
  /** What 16 slots allow: the same handler, called without a consumer. */
  slots: number;
  consume: number;
  transactional: number;
}

/** A backlog of `count` messages in the log: relayed to a publisher that does nothing, and handled. */
export async function backlog(uri: string, count: number): Promise<ConsumerRates> {
  const { outbox, connection, close } = await open(uri, `consumers_${Date.now()}`);
  await fill(outbox, count);
  // One after another, the machine's moods included: the better of two.
  const twice = async (run: (round: number) => Promise<number>) => Math.max(await run(1), await run(2));
  const plain = await twice(() => plainPages(connection, count));
  const relay = await twice((round) => rate(count, (ran) => outbox.relay(`relay${round}`, doingNothing(ran))));
  const handler = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
  const handled = Math.min(count, 30_000);
  const slots = await slotsAllow(handled, handler);
  const consume = await rate(handled, (ran) =>
    outbox.consume('slow', () => handler().then(() => ran(1)), { concurrency: 16 }),
  );
  const transactional = await rate(2_000, (ran) => outbox.consume('exact', () => ran(1), { transactional: true }));
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return { plain, relay, slots, consume, transactional };
}

function doingNothing(ran: (messages: number) => void): Publisher<Message> {
  return { publish: (messages) => Promise.resolve(ran(messages.length)) };
}

/** 16 loops that call the handler. */
async function slotsAllow(count: number, handler: () => Promise<void>): Promise<number> {
  let left = count;
  const started = performance.now();
  const slot = async () => {
    while (left > 0) {
      left -= 1;
      await handler();
    }
  };
  await Promise.all(Array.from({ length: 16 }, slot));
  return count / ((performance.now() - started) / 1_000);
}

/** Everything is pending when it starts: through the sequencer to a relay that does nothing. @returns messages per second */
export async function pendingToRelay(uri: string, count: number): Promise<number> {
  const database = `pending_${Date.now()}`;
  const writer = await open(uri, database, { sequencer: false });
  const batch = 500;
  for (let first = 0; first < count; first += batch)
    await writer.outbox.put(
      Array.from({ length: batch }, (_, index) => message(first + index)),
      null,
    );
  await writer.close();
  const { outbox, connection, close } = await open(uri, database);
  const result = await rate(count, (ran) => outbox.relay('relay', doingNothing(ran)));
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return result;
}

/**
 * One relay from the first message on, while `count` messages are put. @returns its rate over the last tenth of them in relation to
 * that over the first, both read from a backlog of the same size: does a step cost more after a long history?
 */
export async function longHistory(uri: string, count: number): Promise<{ first: number; last: number }> {
  const { outbox, connection, close } = await open(uri, `history_${Date.now()}`, { sizeBytes: 64 * 1024 * 1024 });
  const part = 50_000;
  const rates: number[] = [];
  for (let done = 0; done < count; done += part) {
    await outbox.init();
    const last = (await outbox.status()).log.last;
    await outbox.start();
    for (let first = 0; first < part; first += 500)
      await outbox.put(
        Array.from({ length: 500 }, (_, index) => message(first + index)),
        null,
      );
    while ((await outbox.status()).log.last < last + part) await new Promise((resolve) => setTimeout(resolve, 20));
    rates.push(await rate(part, (ran) => outbox.relay('relay', doingNothing(ran))));
  }
  await outbox.close();
  await connection.dropDatabase();
  await close();
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { first: mean(rates.slice(0, 3)), last: mean(rates.slice(-3)) };
}
