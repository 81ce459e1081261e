import { setTimeout as after } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { startReplicaSet, type ReplicaSet } from '../../../dev/replica-set.js';
import type { MessageOfEvent } from '../../../src/cloudevents.js';
import { webhookPublisher } from '../../../src/webhook.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, watchedOutbox } from '../../support/watched-outbox.js';
import { startReceiver } from './receiver.js';

let set: ReplicaSet;
beforeAll(async () => {
  set = await startReplicaSet({ log: () => undefined });
});
afterAll(() => set?.stop());

const retry = { initialDelayMs: 20, maxDelayMs: 200 };
const firstsOf = (received: readonly MessageOfEvent[]) => [
  ...new Map(received.map((each) => [each.id, each])).values(),
];

function expectEachKeyInOrder(received: readonly MessageOfEvent[], count: number): void {
  const firsts = received.filter(({ id }, index) => received.findIndex((each) => each.id === id) === index);
  expect(firsts.length).toBe(count);
  for (const key of new Set(firsts.map((each) => each.key))) {
    const positions = firsts.filter((each) => each.key === key).map(({ position }) => position!);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  }
}

describe.each(['structured', 'batch'] as const)('a relay to a webhook, mode %s', (mode) => {
  const start = async (timeoutMs = 2_000) => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.close());
    const made = await watchedOutbox({ uri: set.uri });
    const publisher = webhookPublisher(receiver.url, { source: '/orders', mode, timeoutMs, messagesPerRequest: 10 });
    const relay = () => made.outbox.relay('c', publisher, { batchSize: 50, retry });
    return { receiver, made, relay };
  };

  it('waits for a destination that is down at the start', async () => {
    const { receiver, made, relay } = await start();
    await receiver.server.kill9();
    await made.put(range(1, 20).map((nr) => keyed(nr, `key ${nr % 3}`)));
    relay();
    await waitFor(() => made.of('consumer:outage').length > 0);
    await receiver.server.restart();
    await waitFor(() => firstsOf(receiver.received()).length === 20, 30_000);
    expectEachKeyInOrder(receiver.received(), 20);
    expect(await made.failures()).toEqual([]);
  });

  it('loses nothing when the destination is killed in the middle, and sends at most a batch again', async () => {
    const { receiver, made, relay } = await start();
    await made.put(range(1, 600).map((nr) => keyed(nr, `key ${nr % 7}`)));
    relay();
    await waitFor(() => receiver.received().length > 60);
    await receiver.server.kill9();
    const before = receiver.received().length;
    expect(before).toBeLessThan(600);
    await waitFor(() => made.of('consumer:outage').length > 0);
    await receiver.server.restart();
    await waitFor(() => firstsOf(receiver.received()).length === 600, 40_000);
    const received = receiver.received();
    expectEachKeyInOrder(received, 600);
    expect(received.length - 600).toBeLessThanOrEqual(50);
    expect(await made.failures()).toEqual([]);
  });

  it('goes on after a destination stood still for 5 s', async () => {
    const { receiver, made, relay } = await start();
    await made.put(range(1, 400).map((nr) => keyed(nr, `key ${nr % 7}`)));
    relay();
    await waitFor(() => receiver.received().length > 40);
    receiver.server.pause();
    // The fault itself: longer than timeoutMs.
    await after(5_000);
    expect(made.of('consumer:outage').map(({ state }) => state)).toEqual(['down']);
    receiver.server.resume();
    await waitFor(() => firstsOf(receiver.received()).length === 400, 40_000);
    expectEachKeyInOrder(receiver.received(), 400);
    expect(await made.failures()).toEqual([]);
  });

  it('makes a dead letter of a message that is refused, at once, and goes on', async () => {
    const { receiver, made } = await start();
    await made.put([keyed(1, 'a'), keyed(2, 'bad'), keyed(3, 'bad'), keyed(4, 'a')]);
    const publisher = webhookPublisher(receiver.url, {
      source: '/orders',
      mode,
      // The receiver refuses what holds this text.
      extensions: (message) => (message.position === 2 ? { refuse: true } : {}),
    });
    made.outbox.relay('c', publisher, { retry });
    await waitFor(async () => (await made.failures()).some(({ state }) => state === 'dead'));
    await waitFor(() => receiver.received().length === 3);
    expect((await made.failures()).map(({ position, state, attempts }) => [position, state, attempts])).toEqual([
      [2, 'dead', 1],
    ]);
    expect(
      receiver
        .received()
        .map(({ position }) => position)
        .sort(),
    ).toEqual([1, 3, 4]);
    expect(made.of('consumer:outage')).toEqual([]);
  });
});
