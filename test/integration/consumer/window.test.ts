import { expect, it } from 'vitest';

import { waitFor } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { keyed, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';

const server = ownServer();
const batchSize = 10;

const storedOf = (made: WatchedOutbox) => made.of('consumer:progress').at(-1)?.position ?? 0;

/** Each checkpoint takes its time. Of the library's commands on this collection, an update stores one; leases go by others. */
function slowCheckpoints({ database }: WatchedOutbox) {
  return failCommand(server.client, {
    failCommands: ['update'],
    namespace: `${database}.Outbox.state`,
    blockConnection: true,
    blockTimeMS: 300,
  });
}

it.each([1, 4])(
  'no more is begun above the stored checkpoint than batchSize, however long it takes to store it (concurrency %i)',
  async (concurrency) => {
    const made = await watchedOutbox({ uri: server.uri, options: { leaseMs: 30_000 } });
    const count = 8 * batchSize;
    await made.put(range(1, count).map((nr) => keyed(nr)));
    const begun: { position: number; stored: number }[] = [];
    const blocked = await slowCheckpoints(made);
    const consumer = made.outbox.consume('c', ({ position }) => void begun.push({ position, stored: storedOf(made) }), {
      concurrency,
      batchSize,
    });
    await waitFor(() => begun.length === count, 20_000);
    await blocked.off();
    await consumer.close();
    // Its process could have died at any of these moments, and all above the stored one would have come again.
    expect(Math.max(...begun.map(({ position, stored: at }) => position - at))).toBeLessThanOrEqual(batchSize);
    expect(begun.map(({ position }) => position).sort((a, b) => a - b)).toEqual(range(1, count));
  },
);

it('of failures that are retried, too: what has run and is not stored is never more than batchSize', async () => {
  const made = await watchedOutbox({ uri: server.uri, options: { leaseMs: 30_000 } });
  const count = 4 * batchSize;
  // Every other one succeeds: else it would be an outage.
  await made.put(range(1, 2 * count).map((nr) => keyed(nr)));
  const records = made.connection.collection('Outbox.failures');
  let retried = 0;
  let most = 0;
  const consumer = made.outbox.consume(
    'c',
    async ({ position }, { attempt }) => {
      if (position % 2 === 0) return;
      if (attempt === 1) throw new Error('at first');
      retried += 1;
      most = Math.max(most, retried - (count - (await records.countDocuments({ consumer: 'c' }))));
    },
    { batchSize, retry: { initialDelayMs: 3_000, maxDelayMs: 3_000, jitter: 0 } },
  );
  await waitFor(async () => (await made.failures()).length === count && retried === 0);
  const blocked = await failCommand(server.client, {
    failCommands: ['commitTransaction'],
    blockConnection: true,
    blockTimeMS: 300,
  });
  await waitFor(() => retried === count, 20_000);
  await blocked.off();
  await consumer.close();
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(batchSize);
});

it('a relay publishes half of a large window while the checkpoint of the other half is stored, and never more than the window', async () => {
  const made = await watchedOutbox({ uri: server.uri, options: { leaseMs: 30_000 } });
  const window = 600;
  const count = 5 * window;
  await made.put(range(1, count).map((nr) => keyed(nr)));
  const batches: { first: number; last: number; stored: number }[] = [];
  const blocked = await slowCheckpoints(made);
  const relay = made.outbox.relay(
    'c',
    {
      publish: (messages) => {
        const positions = messages.map(({ position }) => position);
        batches.push({ first: positions[0]!, last: positions.at(-1)!, stored: storedOf(made) });
        return Promise.resolve();
      },
    },
    { batchSize: window },
  );
  await waitFor(() => batches.at(-1)?.last === count, 20_000);
  await blocked.off();
  await relay.close();
  expect(Math.max(...batches.map(({ first, last }) => last - first + 1))).toBe(window / 2);
  expect(Math.max(...batches.map(({ last, stored: at }) => last - at))).toBeLessThanOrEqual(window);
  const ahead = batches.filter(({ first, stored: at }) => first > at + 1);
  expect(ahead.length, 'batches that began before everything below them was stored').toBeGreaterThan(2);
});
