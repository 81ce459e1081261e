import { describe, expect, it } from 'vitest';

import { collect, createOutbox, waitFor } from '../../support/create-outbox.js';
import { order, orders, putInTransaction, range } from '../../support/orders.js';
import { bsonSize, exactCollection } from '../../support/raw-log.js';

describe('the status', () => {
  it('of a new outbox is all zeros and nulls: the genesis entry is no message', async () => {
    const { outbox } = await createOutbox({ options: { sizeBytes: 4 * 1024 * 1024 } });
    expect(await outbox.status()).toEqual({
      pending: { count: 0, oldestMs: null },
      log: { first: 0, last: 0, entries: 0, bytes: 0, sizeBytes: 4 * 1024 * 1024, maxMessages: null, heldBy: null },
      sequencer: { owner: null, epoch: 0, expiresInMs: null },
      consumers: [],
    });
  });

  it('shows what is in the log, and who moves it', async () => {
    const { outbox, connection } = await createOutbox({ options: { maxMessages: 1_000 } });
    await putInTransaction({ outbox, connection }, 1, 5);
    await collect(outbox.messages(), 5);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    const entries = await exactCollection(connection, 'Outbox')
      .find({ _id: { $gt: 0 } as never })
      .toArray();
    const { log, sequencer, pending } = await outbox.status();
    expect(log).toMatchObject({ first: 1, last: 5, entries: 5, maxMessages: 1_000 });
    expect(log.bytes).toBe(entries.reduce((sum, entry) => sum + bsonSize(entry), 0));
    expect(pending).toEqual({ count: 0, oldestMs: null });
    expect(sequencer).toMatchObject({ owner: expect.stringContaining(`:${process.pid}:`) as string, epoch: 1 });
    expect(sequencer.expiresInMs).toBeGreaterThan(0);
    expect(sequencer.expiresInMs).toBeLessThanOrEqual(5_000);
  });

  it('of a log that has overwritten counts what is there', async () => {
    const { outbox, connection } = await createOutbox({ options: { maxMessages: 100 } });
    await outbox.put(orders(1, 250), null);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).log.last === 250);
    const entries = await exactCollection(connection, 'Outbox').find().toArray();
    const { log } = await outbox.status();
    expect(log).toMatchObject({ first: 151, last: 250, entries: 100 });
    expect(log.bytes).toBe(entries.reduce((sum, entry) => sum + bsonSize(entry), 0));
  });

  it('shows pending grow, and its oldest grow older, where nobody sequences', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.put(order(1), null);
    const first = (await outbox.status()).pending;
    expect(first.count).toBe(1);
    // By the server's clock, to the second.
    expect(first.oldestMs).toBeGreaterThanOrEqual(0);
    expect(first.oldestMs).toBeLessThan(10_000);
    await putInTransaction({ outbox, connection }, 2, 3);
    await waitFor(async () => (await outbox.status()).pending.oldestMs! > first.oldestMs! + 500);
    expect(await outbox.status()).toMatchObject({
      pending: { count: 4 },
      log: { last: 0 },
      sequencer: { owner: null },
    });
  });

  it('does not count what is not committed', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const session = await connection.startSession();
    session.startTransaction();
    await outbox.put(orders(1, 3), session);
    expect((await outbox.status()).pending).toEqual({ count: 0, oldestMs: null });
    await session.commitTransaction();
    await session.endSession();
    expect((await outbox.status()).pending.count).toBe(3);
  });

  it('shows no owner once the lease has run out', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const lease = { owner: 'dead', epoch: 7, expiresAt: new Date(Date.now() - 1) };
    await connection.collection('Outbox.state').insertOne({ _id: 'sequencer' as never, ...lease });
    expect((await outbox.status()).sequencer).toEqual({ owner: null, epoch: 7, expiresInMs: null });
  });

  it('is plain data: it can be written as JSON and read back the same', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 3), null);
    await collect(outbox.messages(), 3);
    const status = await outbox.status();
    expect(JSON.parse(JSON.stringify(status))).toEqual(status);
  });

  it('costs a few indexed queries, however much is in the log', async () => {
    const { outbox, connection } = await createOutbox();
    for (const first of range(0, 5)) await outbox.put(orders(first * 1_000, 1_000), null);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).log.last === 5_000);
    await outbox.close();
    const again = await createOutbox({ connection });
    await again.outbox.init();
    const docsExamined: number[] = [];
    await connection.db!.command({ profile: 2 });
    await again.outbox.status();
    await connection.db!.command({ profile: 0 });
    const profile = await connection
      .collection('system.profile')
      .find({ ns: new RegExp('\\.Outbox') })
      .toArray();
    for (const { docsExamined: examined } of profile) docsExamined.push(Number(examined ?? 0));
    expect(profile.length).toBeLessThanOrEqual(12);
    // The front of the log is read, so far as stray entries may reach.
    expect(docsExamined.filter((examined) => examined > 1)).toEqual([4_001]);
  });
});
