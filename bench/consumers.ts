import type { Connection } from 'mongoose';

import type { Consumer, Publisher, ServiceOutbox } from '../src/index.js';
import { median, message, open, type Message } from './setup.js';

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

/** Reads entries after a position as a relay does, with the plain driver. @returns entries per second */
async function plainPages(connection: Connection, from: number, count: number): Promise<number> {
  const started = performance.now();
  for (let position = from; position < from + count;)
    position = Number((await plainPage(connection, position)).at(-1)?._id);
  return count / ((performance.now() - started) / 1_000);
}

/** A page of entries of the log as a service would read it that has the driver alone. */
export function plainPage(connection: Connection, position: number) {
  return connection
    .collection('bench')
    .find({ _id: { $gt: position as never } }, { sort: { _id: 1 }, limit: 2_000, batchSize: 2_000 })
    .toArray();
}

/** Puts `count` messages and waits until they are in the log, which ends at position `last` now. */
export async function fill(outbox: ServiceOutbox<Message>, count: number, last = 0): Promise<void> {
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
  while ((await outbox.status()).log.last < last + count) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** One after another in each; what is reported are medians. Ratios are taken in each round, since the machine has moods. */
const rounds = 5;

export interface ConsumerRates {
  /** All in messages per second, but for the two ratios. */
  plain: number;
  relay: number;
  /** Of `relay` to `plain`. */
  toPlain: number;
  /** What 16 slots allow: the same handler, called without a consumer. */
  slots: number;
  consume: number;
  /** Of `consume` to `slots`. */
  toSlots: number;
  transactional: number;
}

/** A backlog of `count` messages in the log: relayed to a publisher that does nothing, and handled. */
export async function backlog(uri: string, count: number): Promise<ConsumerRates> {
  const { outbox, connection, close } = await open(uri, `consumers_${Date.now()}`);
  await fill(outbox, count);
  const handler = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
  const handled = Math.min(count, 30_000);
  const taken: Record<'plain' | 'relay' | 'slots' | 'consume', number>[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const plain = await plainPages(connection, 0, count);
    const relay = await rate(count, (ran) => outbox.relay(`relay${round}`, doingNothing(ran)));
    const slots = await slotsAllow(handled, handler);
    const consume = await rate(handled, (ran) =>
      outbox.consume(`slow${round}`, () => handler().then(() => ran(1)), { concurrency: 16 }),
    );
    taken.push({ plain, relay, slots, consume });
  }
  const transactional = await rate(2_000, (ran) => outbox.consume('exact', () => ran(1), { transactional: true }));
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return {
    plain: median(taken.map(({ plain }) => plain)),
    relay: median(taken.map(({ relay }) => relay)),
    toPlain: median(taken.map(({ relay, plain }) => relay / plain)),
    slots: median(taken.map(({ slots }) => slots)),
    consume: median(taken.map(({ consume }) => consume)),
    toSlots: median(taken.map(({ consume, slots }) => consume / slots)),
    transactional,
  };
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
 * One relay from the first message on, while `count` messages are put: does a step cost more after a long history? Its
 * rate as a share of the plain driver's at the same place, over the last quarter and the first; each from a backlog of
 * the same size.
 */
export async function longHistory(uri: string, count: number): Promise<{ first: number; last: number }> {
  const { outbox, connection, close } = await open(uri, `history_${Date.now()}`, { sizeBytes: 64 * 1024 * 1024 });
  const part = 50_000;
  const shares: number[] = [];
  for (let done = 0; done < count; done += part) {
    await outbox.init();
    const { last } = (await outbox.status()).log;
    await fill(outbox, part, last);
    const plain = await plainPages(connection, last, part);
    shares.push((await rate(part, (ran) => outbox.relay('relay', doingNothing(ran)))) / plain);
  }
  await outbox.close();
  await connection.dropDatabase();
  await close();
  const quarter = shares.length / 4;
  return { first: median(shares.slice(0, quarter)), last: median(shares.slice(-quarter)) };
}
