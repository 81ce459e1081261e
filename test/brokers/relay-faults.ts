import { setTimeout as after } from 'node:timers/promises';

import { expect, it, onTestFinished } from 'vitest';

import type { ServerNode } from '../../dev/server-process.js';
import type { OutboxMessage, Put } from '../../src/index.js';
import type { PublisherFixture } from '../../src/testing.js';
import { waitFor, type TestMessage } from '../support/create-outbox.js';
import { range } from '../support/orders.js';
import { watchedOutbox, type WatchedOutbox } from '../support/watched-outbox.js';

/** A publisher before a destination of its own, and the broker that has it. */
export type BrokerFixture = PublisherFixture<OutboxMessage> & { readonly node: ServerNode };

export const batchSize = 50;
const keys = 7;
const pausedMs = 5_000;
/** How long a broker stays away where no outage is told of. */
const longestDownMs = 20_000;
/** How long it takes at most until it goes on, once the broker is back: some clients wait by themselves. */
const goesOnMs = 60_000;

/**
 * What a relay of a whole outbox stands, whichever broker it publishes to.
 *
 * @param refusesLarge whether the broker refuses a message of 2 MB for ever
 */
export function relayFaults(open: () => Promise<BrokerFixture>, { refusesLarge }: { refusesLarge: boolean }): void {
  it('a broker that is down when the relay starts is waited for', async () => {
    const { broker, outbox, put } = await relayed(open);
    await broker.node.kill9();
    await put(range(1, 200));
    await waitForOutageOrAWhile(outbox);
    expect((await outbox.info('relay')).position).toBe(0);
    await broker.node.restart();
    await expectAll(outbox, broker, 200, 0);
  });

  it('a broker that is killed and comes back while it relays loses nothing', async () => {
    const { broker, outbox, put } = await relayed(open);
    const writer = writing(put);
    const rounds = 2;
    for (let round = 1; round <= rounds; round += 1) {
      const { position } = await outbox.info('relay');
      await waitFor(async () => (await outbox.info('relay')).position > position + 100, goesOnMs);
      await broker.node.kill9();
      await broker.node.restart();
    }
    // What was in flight at a kill may be stored, though nobody heard of it.
    await expectAll(outbox, broker, await writer.stop(), rounds * batchSize);
  });

  it('a broker that hangs for 5 seconds loses nothing', async () => {
    const { broker, outbox, put } = await relayed(open);
    await put(range(1, 100));
    await waitFor(async () => (await outbox.info('relay')).position > 0);
    broker.node.pause();
    await put(range(101, 100));
    await after(pausedMs);
    broker.node.resume();
    await expectAll(outbox, broker, 200, batchSize);
  });

  if (!refusesLarge) return;
  it('a message that it refuses becomes a dead letter, and all others arrive', async () => {
    const { broker, outbox } = await relayed(open);
    const messages = range(1, 60).map(messageOf);
    const bad = { ...messageOf(30), data: { ordernr: 30, note: 'x'.repeat(2_000_000) } };
    messages[29] = bad;
    await outbox.put(messages);
    await waitFor(async () => (await outbox.failures('relay')).some(({ state }) => state === 'dead'));
    await waitFor(async () => (await outbox.info('relay')).position === 60, 20_000);
    await waitFor(async () => (await outbox.failures('relay')).length === 1);
    expect((await outbox.failures('relay')).map(({ position }) => position)).toEqual([30]);
    await waitFor(async () => (await broker.received()).length >= 59);
    await expectStored(
      broker,
      range(1, 60).filter((nr) => nr !== 30),
      0,
    );
  });
}

/** Some clients wait by themselves for minutes, and then there is no outage to tell of. */
export async function waitForOutageOrAWhile(outbox: WatchedOutbox): Promise<void> {
  const since = performance.now();
  await waitFor(
    () => outbox.of('consumer:outage').length > 0 || performance.now() - since > longestDownMs,
    2 * longestDownMs,
  );
}

/** Puts 20 messages at a time until it is stopped. @returns `stop`, which resolves to how many there are */
export function writing(put: (numbers: readonly number[]) => Promise<unknown>): { stop: () => Promise<number> } {
  let total = 0;
  let putting = true;
  const ended = (async () => {
    for (; putting; total += 20) {
      await put(range(total + 1, 20));
      await after(5);
    }
  })();
  return {
    stop: async () => {
      putting = false;
      await ended;
      return total;
    },
  };
}

function messageOf(ordernr: number): Put<TestMessage> {
  return { type: 'order_created', data: { ordernr }, id: `id-${ordernr}`, key: `key ${ordernr % keys}` };
}

/** A relay of a new outbox before that broker, with a batch size of `batchSize`. */
export async function relayed<B extends BrokerFixture>(open: () => Promise<B>) {
  const broker = await open();
  onTestFinished(() => broker.close());
  const outbox = await watchedOutbox();
  outbox.outbox.relay('relay', broker.publisher, { batchSize, retry: { initialDelayMs: 100, maxDelayMs: 1_000 } });
  const put = (numbers: readonly number[]) => outbox.put(numbers.map(messageOf));
  await waitFor(() => outbox.of('consumer:start').length > 0);
  return { broker, outbox, put };
}

/** Everything arrives, nothing is a failure, and the outbox told of each change once. */
export async function expectAll(
  outbox: WatchedOutbox,
  broker: BrokerFixture,
  total: number,
  mostRepeats: number,
): Promise<void> {
  await waitFor(async () => (await outbox.info('relay')).position === total, goesOnMs);
  expect(await outbox.failures('relay')).toEqual([]);
  expect(outbox.of('consumer:dead')).toEqual([]);
  const states = outbox.of('consumer:outage').map(({ state }) => state);
  expect(states).toEqual(states.map((_, index) => (index % 2 === 0 ? 'down' : 'up')));
  expect(states.length).toBeLessThanOrEqual(8);
  expect(outbox.of('error')).toEqual([]);
  await expectStored(broker, range(1, total), mostRepeats);
}

async function expectStored(broker: BrokerFixture, numbers: readonly number[], mostRepeats: number): Promise<void> {
  const ids = (await broker.received()).map(({ id }) => id);
  const firsts = [...new Set(ids)];
  expect([...firsts].sort()).toEqual(numbers.map((nr) => `id-${nr}`).sort());
  expect(ids.length - firsts.length).toBeLessThanOrEqual(mostRepeats);
  for (let key = 0; key < keys; key += 1) {
    const ofKey = numbers.filter((nr) => nr % keys === key).map((nr) => `id-${nr}`);
    expect(firsts.filter((id) => ofKey.includes(id))).toEqual(ofKey);
  }
}
