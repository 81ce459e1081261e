import { describe, expect, it } from 'vitest';

import { resolveOptions } from '../../../src/options.js';
import { readFloor } from '../../../src/store/floor.js';
import { Store } from '../../../src/store/store.js';
import { setUp } from '../../../src/store/set-up.js';
import { isThere, readOn, register, removeCheckpoint, setCheckpoint, storedFloor } from '../../support/checkpoints.js';
import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { orders } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';

const MiB = 1024 * 1024;
const server = ownServer();
const note = 'x'.repeat(1_500);

/** A log that is being overwritten as fast as it goes, until `stop`. */
async function overwrittenLog(connect: { appName?: string } = {}) {
  const created = await createOutbox({ uri: server.uri, options: { sizeBytes: MiB }, connect });
  const { outbox } = created;
  await outbox.start();
  let going = true;
  const putting = (async () => {
    for (let first = 1; going; first += 200) await outbox.put(orders(first, 200, note), null);
  })();
  await waitFor(async () => (await outbox.status()).log.first > 1, 20_000);
  const stop = async (): Promise<void> => {
    going = false;
    await putting;
  };
  return { ...created, stop };
}

describe('a consumer that registers while the log is being overwritten at full speed', () => {
  it.each([
    { where: 'at the floor', choose: (floor: number) => floor },
    { where: 'a little above', choose: (floor: number) => floor + 1 + (floor % 7) },
  ])(
    '$where never begins at a hole',
    async ({ choose }) => {
      // The floor is raised slowly, so that registrations come in between as often as not.
      const { connection, database, outbox, stop } = await overwrittenLog({ appName: 'overwriting' });
      const beside = await createConnection({ uri: server.uri, database });
      await failCommand(server.client, {
        failCommands: ['update', 'commitTransaction'],
        appName: 'overwriting',
        blockConnection: true,
        blockTimeMS: 8,
      });
      const holes: number[] = [];
      let raised = 0;
      for (let round = 0; round < 60; round += 1) {
        const position = await register(beside, 'new', choose);
        // It is registered: what comes next stays, however much is put.
        const before = (await storedFloor(beside))!['position'] as number;
        const { last } = (await outbox.status()).log;
        await waitFor(
          async () =>
            (await outbox.status()).log.last > Math.max(last, position) ||
            (await readFloor(new Store(beside, 'Outbox')))!.heldBy,
        );
        if (!(await isThere(connection, position + 1))) holes.push(position + 1);
        await removeCheckpoint(beside, 'new');
        await waitFor(async () => ((await storedFloor(beside))!['position'] as number) > before);
        raised += 1;
      }
      await stop();
      expect(holes).toEqual([]);
      expect(raised).toBe(60);
    },
    120_000,
  );

  it('and reads everything from there on', async () => {
    const { connection, outbox, stop } = await overwrittenLog();
    let position = await register(connection, 'new');
    for (let read = 0; read < 3_000;) {
      const entries = await readOn(connection, position, 300);
      read += entries.length;
      position += entries.length;
      await setCheckpoint(connection, 'new', position);
    }
    await stop();
    expect((await outbox.status()).log.first).toBeGreaterThan(1_000);
  });
});

describe('an outbox of an older version, which has no floor', () => {
  async function old() {
    const created = await createOutbox({ uri: server.uri, options: { sizeBytes: MiB } });
    const { outbox, connection } = created;
    await outbox.start();
    await outbox.put(orders(1, 1_500, note), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    const { log } = await outbox.status();
    await outbox.close();
    await connection.collection('Outbox.state').deleteOne({ _id: 'floor' as never });
    return { connection, log, store: new Store(connection, 'Outbox') };
  }

  it('gets one by set-up: just below the oldest entry', async () => {
    const { connection, log, store } = await old();
    await setUp(store, resolveOptions({ connection }));
    expect(await readFloor(store)).toMatchObject({ position: log.first - 1, heldBy: null });
    expect(await register(connection, 'first')).toBe(log.first - 1);
    await readOn(connection, log.first - 1, 100);
  });

  it('gets one by registering', async () => {
    const { connection, log } = await old();
    expect(await register(connection, 'first')).toBe(log.first - 1);
    expect(await storedFloor(connection)).toMatchObject({ position: log.first - 1, heldBy: null });
  });

  it('gets one by registering, also while somebody waits for an exclusive lock', async () => {
    const { connection, log } = await old();
    // As long as it reads the log, to know what its floor has to be.
    const reading = await failCommand(
      server.client,
      { failCommands: ['find'], namespace: `${connection.name}.Outbox`, blockConnection: true, blockTimeMS: 1_000 },
      { times: 1 },
    );
    const registered = register(connection, 'first');
    await reading.met();
    await server.client.db(connection.name).command({ collMod: 'Outbox.state', validationLevel: 'moderate' });
    expect(await registered).toBe(log.first - 1);
  });

  it('gets one by a sequencer that trusts the set-up', async () => {
    const { connection, log, store } = await old();
    const { outbox } = await createOutbox({ connection, options: { setup: 'none' } });
    await outbox.start();
    await waitFor(async () => (await readFloor(store)) !== undefined);
    expect((await readFloor(store))!.position).toBe(log.first - 1);
  });
});

it('a log that is made anew begins with a floor of 0, whatever its predecessor had', async () => {
  const { outbox, connection } = await createOutbox({ uri: server.uri, options: { sizeBytes: MiB } });
  await outbox.start();
  await outbox.put(orders(1, 1_500, note), null);
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  expect((await storedFloor(connection))!['position']).toBeGreaterThan(0);
  await outbox.close();
  await connection.collection('Outbox').drop();
  const again = await createOutbox({ connection, options: { sizeBytes: MiB } });
  await again.outbox.init();
  expect(await storedFloor(connection)).toMatchObject({ position: 0, heldBy: null });
});
