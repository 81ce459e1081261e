import type { Connection } from 'mongoose';
import { expect, it } from 'vitest';

import type { OutboxEvents } from '../../../src/events.js';
import { appendToLog } from '../../../src/store/append-to-log.js';
import { primaryTerm } from '../../../src/store/primary-term.js';
import { Store } from '../../../src/store/store.js';
import { isThere, readOn, setCheckpoint } from '../../support/checkpoints.js';
import { createOutbox, waitFor } from '../../support/create-outbox.js';
import { order, orders, range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';

const MiB = 1024 * 1024;
const server = ownServer();

const large = 'x'.repeat(MiB / 8 - 8_000);
const small = 'x'.repeat(1_000);
/** A little less than a small entry takes. */
const smallEntry = 1_100;

/** What the server counts, and what is there. */
async function sizes(connection: Connection): Promise<{ reported: number; real: number }> {
  const { size } = await connection.db!.command({ collStats: 'Outbox' });
  const [sum] = await connection
    .collection('Outbox')
    .aggregate<{ real: number }>([{ $group: { _id: null, real: { $sum: { $bsonSize: '$$ROOT' } } } }])
    .toArray();
  return { reported: Number(size), real: sum!.real };
}

async function crash(): Promise<void> {
  await server.set.nodes[0]!.kill9();
  await server.set.nodes[0]!.restart();
  await server.set.primary();
}

it('a server that counts too much after it was killed (kill -9) takes nothing from a consumer', async () => {
  const { outbox, connection } = await createOutbox({
    uri: server.uri,
    options: { sizeBytes: MiB, leaseMs: 2_000 },
    connect: { serverSelectionTimeoutMS: 30_000 },
  });
  const full: OutboxEvents['log:full'][] = [];
  outbox.on('log:full', (event) => full.push(event));
  let last = 0;
  const put = async (count: number, note: string): Promise<void> => {
    await outbox.put(orders(last + 1, count, note), null);
    last += count;
  };
  const moved = () => waitFor(async () => (await outbox.status()).pending.count === 0, 20_000);
  await outbox.start();

  // Full, and the oldest entries are the largest.
  await put(8, large);
  await moved();
  while ((await sizes(connection)).reported + smallEntry <= MiB) {
    await put(1, small);
    await moved();
  }
  // What is stored as its count is that of a full log. Then it takes a small entry for a large one, and dies.
  for (let round = 1; round <= 5; round += 1) {
    await server.client.db('admin').command({ fsync: 1 });
    await put(1, small);
    await moved();
    await crash();
    await moved();
  }
  const { reported, real } = await sizes(connection);
  expect(reported - real, 'bytes that the server counts too much').toBeGreaterThan(MiB / 3);

  const checkpoint = (await outbox.status()).log.last;
  expect(checkpoint).toBe(last);
  await setCheckpoint(connection, 'slow', checkpoint);
  await put(900, small);
  await waitFor(() => full.length > 0, 20_000);
  let entries = await readOn(connection, checkpoint, 900);
  expect(entries.length).toBeGreaterThan(30);
  expect(full[0]!.reportedBytes).toBeLessThanOrEqual(MiB);
  expect(full[0]!.unpassedBytes).toBeLessThan(MiB / 2);

  // Also when it is killed while the log is held: the sequencer goes on with what the next process counts.
  await crash();
  await put(1, small);
  entries = await readOn(connection, checkpoint, 900);
  const read = entries.map(({ data }) => (data as { ordernr: number }).ordernr);
  while (checkpoint + read.length < last) {
    await setCheckpoint(connection, 'slow', checkpoint + read.length);
    const next = await waitFor(async () => {
      const found = await readOn(connection, checkpoint + read.length, 900);
      return found.length > 0 ? found : undefined;
    }, 20_000);
    read.push(...next.map(({ data }) => (data as { ordernr: number }).ordernr));
  }
  await setCheckpoint(connection, 'slow', last);
  expect(read).toEqual(range(checkpoint + 1, last - checkpoint));
  await waitFor(async () => (await outbox.status()).log.heldBy === null);
});

it('a server that was started again while nothing was put is noticed before the next append', async () => {
  const { outbox, connection } = await createOutbox({
    uri: server.uri,
    options: { sizeBytes: MiB, leaseMs: 10_000 },
    connect: { serverSelectionTimeoutMS: 30_000, monitorCommands: true },
  });
  await outbox.start();
  await outbox.put(order(1), null);
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  await crash();
  const names: string[] = [];
  connection.getClient().on('commandStarted', ({ commandName, command }) => {
    const target = (command as Record<string, unknown>)[commandName];
    if (target === 'Outbox' && ['collStats', 'insert'].includes(commandName)) names.push(commandName);
  });
  await outbox.put(order(2), null);
  await waitFor(() => names.includes('insert'), 20_000);
  expect(names.slice(0, names.indexOf('insert'))).toContain('collStats');
});

it('an append that was planned for one process is not sent to the next', async () => {
  const { outbox, connection } = await createOutbox({ uri: server.uri, connect: { serverSelectionTimeoutMS: 30_000 } });
  await outbox.init();
  const store = new Store(connection, 'Outbox');
  const session = store.session();
  const { over } = primaryTerm(store);
  await server.set.nodes[0]!.kill9();
  await waitFor(() => over.aborted);
  const append = appendToLog(store, session, [{ _id: 1, token: 1 }], 30_000, over).catch((error: unknown) => error);
  await server.set.nodes[0]!.restart();
  await server.set.primary();
  expect(await append).toBeInstanceOf(Error);
  expect(await isThere(connection, 1)).toBe(false);
  await session.endSession();
});
