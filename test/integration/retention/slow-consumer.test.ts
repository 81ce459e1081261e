import type { Connection } from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { OutboxEvents } from '../../../src/events.js';
import { isThere, readOn, setCheckpoint, storedFloor } from '../../support/checkpoints.js';
import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { startMover } from '../../support/movers.js';
import { orders, range } from '../../support/orders.js';

const MiB = 1024 * 1024;

/** Looks after every append whether the next entry of a consumer is there. */
class Watch {
  #looks: Promise<unknown>[] = [];
  readonly missing: number[] = [];
  position = 0;
  appends = 0;

  constructor(private readonly connection: Connection) {}

  readonly look = ({ last }: Pick<OutboxEvents['log:append'], 'last'>): void => {
    this.appends += 1;
    const next = this.position + 1;
    if (last < next) return;
    const look = async () => {
      if (!(await isThere(this.connection, next))) this.missing.push(next);
    };
    this.#looks.push(look());
  };

  /** Passes entries once every look at the one before has ended. */
  async pass(consumer: string, position: number): Promise<void> {
    await Promise.all(this.#looks);
    this.#looks = [];
    this.position = position;
    await setCheckpoint(this.connection, consumer, position);
  }
}

/**
 * Reads the whole log in steps of uneven size, each only when the log takes no more.
 * @returns the orders read
 */
async function readSlowly(connection: Connection, watch: Watch, total: number): Promise<number[]> {
  const read: number[] = [];
  for (let step = 1; read.length < total; step += 1) {
    await waitFor(
      async () => (await storedFloor(connection))?.['heldBy'] === 'slow' || (await isThere(connection, total)),
    );
    const entries = await readOn(connection, watch.position, 1 + ((step * 97) % 450));
    read.push(...entries.map(({ data }) => (data as { ordernr: number }).ordernr));
    await watch.pass('slow', read.length);
  }
  return read;
}

const logs = [
  { log: 'of 1 MiB', options: { sizeBytes: MiB }, note: 'x'.repeat(1_500), total: 4_000 },
  { log: 'of messages of uneven size', options: { sizeBytes: MiB }, note: undefined, total: 1_200 },
  { log: 'of 150 messages', options: { maxMessages: 150 }, note: 'x', total: 2_000 },
];

describe.each(logs)('a log $log that is wrapped many times', ({ options, note, total }) => {
  async function backlog() {
    const created = await createOutbox({ options });
    for (let first = 1; first <= total; first += 200) {
      const batch = orders(first, 200, note).map((order, index) =>
        note === undefined
          ? { ...order, data: { ...order.data, note: 'x'.repeat(index % 20 === 0 ? 60_000 : 500) } }
          : order,
      );
      await created.outbox.put(batch, null);
    }
    await setCheckpoint(created.connection, 'slow', 0);
    return created;
  }

  it('keeps what a slow consumer has not passed', async () => {
    const { outbox, connection } = await backlog();
    const watch = new Watch(connection);
    const full: OutboxEvents['log:full'][] = [];
    const errors: unknown[] = [];
    outbox
      .on('log:append', watch.look)
      .on('log:full', (event) => full.push(event))
      .on('error', ({ error }) => errors.push(error));
    await outbox.start();
    expect(await readSlowly(connection, watch, total)).toEqual(range(1, total));
    expect(watch.missing).toEqual([]);
    expect(watch.appends).toBeGreaterThan(4);
    expect(full.length).toBeGreaterThan(0);
    expect(errors).toEqual([]);
    await waitFor(async () => (await outbox.status()).log.heldBy === null);
    const { log } = await outbox.status();
    // It did overwrite what was passed.
    expect(log.first).toBeGreaterThan(total / 2);
    const floor = await storedFloor(connection);
    expect(floor!['position']).toBeGreaterThanOrEqual(log.first - 1);
    expect(floor!['position']).toBeLessThanOrEqual(total);
  });

  it('also with two sequencers at once that both believe to lead', async () => {
    const { connection, database } = await backlog();
    const watch = new Watch(connection);
    const movers = await Promise.all(
      [1, 2].map(async (epoch) =>
        startMover(await createConnection({ database }), epoch, {
          appendBatchSize: 40 + 30 * epoch,
          pollMinMs: 1,
          pollMaxMs: 10,
        }),
      ),
    );
    for (const { events } of movers) events.on('log:append', watch.look);
    expect(await readSlowly(connection, watch, total)).toEqual(range(1, total));
    expect(watch.missing).toEqual([]);
  });
});
