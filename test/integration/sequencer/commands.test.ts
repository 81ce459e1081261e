import { Timestamp } from 'mongodb';
import { describe, expect, it } from 'vitest';

import { recordCommands, type SentCommand } from '../../support/commands.js';
import { collect, createOutbox, waitFor } from '../../support/create-outbox.js';
import { orders, putInTransaction } from '../../support/orders.js';

/** What the service's connection may say: none of it is good for the library. */
const unhelpful = {
  readPreference: 'secondaryPreferred',
  w: 1,
  retryWrites: false,
  readConcernLevel: 'local',
} as const;

/** The commands of a sequencer that moved two batches. */
async function moved(): Promise<{ to: (name: string, collection: string) => Readonly<Record<string, any>>[] }> {
  const { outbox, connection } = await createOutbox({
    connect: { ...unhelpful, monitorCommands: true },
    options: { appendBatchSize: 30, leaseMs: 3_000 },
  });
  await outbox.put(orders(1, 40), null);
  const sent: SentCommand[] = recordCommands(connection);
  await outbox.start();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  await outbox.close();
  const again = await createOutbox({ connection, options: { leaseMs: 3_000 } });
  await again.outbox.start();
  await again.outbox.put(orders(41, 1), null);
  await collect(again.outbox.messages(40), 1);
  await waitFor(async () => (await again.outbox.status()).pending.count === 0);
  await waitFor(
    () => sent.filter(({ collection, name }) => collection === 'Outbox.state' && name === 'findAndModify').length > 2,
  );
  return {
    to: (name, collection) =>
      sent
        .filter((command) => command.name === name && command.collection === collection)
        .map(({ command }) => command),
  };
}

describe('whatever the connection says', () => {
  it('the sequencer reads and writes as its protocol needs it', async () => {
    const { to } = await moved();

    const bases = to('find', 'Outbox').filter(({ projection }) => projection?.token === 1);
    expect(bases.length).toBeGreaterThanOrEqual(2);
    for (const base of bases) {
      expect(base).toMatchObject({ sort: { _id: -1 }, readConcern: { level: 'majority' } });
      expect(base['limit']).toBeGreaterThanOrEqual(2 * 1_000);
      expect(base['batchSize']).toBe(base['limit']);
    }

    const reads = to('find', 'Outbox.pending').filter(({ readConcern }) => readConcern.level === 'snapshot');
    expect(reads.length).toBeGreaterThanOrEqual(3);
    for (const read of reads) {
      expect(read).toMatchObject({ sort: { ts: 1, _id: 1 }, batchSize: read['limit'] as number });
      expect(read['readConcern'].afterClusterTime).toBeInstanceOf(Timestamp);
      // Never from a remembered ts: a long transaction becomes visible late.
      expect(read['filter'] ?? {}).toEqual({});
    }

    const appends = to('insert', 'Outbox').filter(({ documents }) => documents[0]._id > 0);
    expect(appends.map(({ documents }) => documents.length as number)).toEqual([30, 10, 1]);
    for (const append of appends) {
      expect(append).toMatchObject({ ordered: true, writeConcern: { w: 'majority' } });
      expect(append['maxTimeMS']).toBeGreaterThan(0);
      expect(append['maxTimeMS']).toBeLessThanOrEqual(2_000);
      expect(append['writeConcern'].wtimeout).toBeLessThanOrEqual(2_000);
      // The driver must not send it a second time.
      expect(append).not.toHaveProperty('txnNumber');
    }

    const deletes = to('delete', 'Outbox.pending');
    for (const command of deletes) {
      expect(command['writeConcern']).toMatchObject({ w: 'majority' });
      expect(Object.keys(command['deletes'][0].q as object)).toEqual(['_id']);
    }
    // One for each append, and one by the second sequencer before it appended anything.
    expect(deletes.map(({ deletes }) => deletes[0].q._id.$in.length as number)).toEqual([30, 10, 40, 1]);

    // Steps 1 to 5 of one sequencer run in one session.
    const sessions = new Set([...bases, ...reads, ...appends, ...deletes].map(({ lsid }) => String(lsid.id)));
    expect(sessions.size).toBeLessThanOrEqual(2);

    for (const lease of to('findAndModify', 'Outbox.state'))
      expect(lease['writeConcern']).toMatchObject({ w: 'majority' });
    const [release] = to('update', 'Outbox.state');
    expect(release!['writeConcern']).toMatchObject({ w: 'majority' });
  });

  it('everything is read from the primary', async () => {
    const { outbox, connection } = await createOutbox({ connect: { ...unhelpful, monitorCommands: true } });
    const sent = recordCommands(connection);
    const reading = collect(outbox.messages(), 2);
    await putInTransaction({ outbox, connection }, 1, 2);
    await reading;
    await outbox.status();
    for (const { command } of sent) {
      const mode = (command['$readPreference'] as { mode: string } | undefined)?.mode ?? 'primary';
      expect({ command, mode }).toEqual({ command, mode: 'primary' });
    }
  });

  it('a reader reads entries at majority alone; only its wake-up reads local, and takes nothing but positions', async () => {
    const { outbox, connection } = await createOutbox({ connect: { ...unhelpful, monitorCommands: true } });
    const sent = recordCommands(connection);
    const reading = collect(outbox.messages(), 50);
    await waitFor(() => sent.some(({ command }) => command['tailable']));
    await outbox.put(orders(1, 50), null);
    await reading;
    const finds = sent.filter(({ name, collection }) => name === 'find' && collection === 'Outbox');
    const tails = finds.filter(({ command }) => command['tailable']);
    expect(tails).toHaveLength(1);
    expect(tails[0]!.command).toMatchObject({
      awaitData: true,
      projection: { _id: 1 },
      readConcern: { level: 'local' },
    });
    for (const { command } of finds.filter(({ command }) => !command['tailable']))
      expect(command).toMatchObject({ readConcern: { level: 'majority' } });
  });
});
