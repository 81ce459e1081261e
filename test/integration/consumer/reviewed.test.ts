import { expect, it } from 'vitest';

import type { Consumer } from '../../../src/index.js';
import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { gate } from '../../support/gate.js';
import { range } from '../../support/orders.js';
import { keyed, reached, watchedOutbox } from '../../support/watched-outbox.js';

const quick = { initialDelayMs: 20, maxDelayMs: 40, jitter: 0 };

it('a window of one message does not keep a consumer from finding out that the destination is up again', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1, 'a'), keyed(2, 'b'), keyed(3, 'c')]);
  let down = true;
  let calls = 0;
  made.outbox.relay(
    'c',
    {
      publish: () => {
        calls += 1;
        return down ? Promise.reject(new Error('down')) : Promise.resolve();
      },
    },
    { batchSize: 1, retry: quick },
  );
  await waitFor(() => calls > 3);
  down = false;
  await reached(made, 3);
  expect(await made.failures()).toEqual([]);
});

it('a request whose caller died does not ask later owners to leave', async () => {
  const { outbox, connection, database } = await createOutbox({ options: { leaseMs: 300 } });
  await outbox.drain('c', () => undefined);
  const state = (await createConnection({ database })).collection<{ _id: string }>('Outbox.state');
  await state.updateOne({ _id: 'lease:c' }, { $set: { request: { id: 'dead', until: new Date(0) } } });
  let starts = 0;
  const stops: string[] = [];
  outbox.on('consumer:start', () => (starts += 1));
  outbox.on('consumer:stop', ({ reason }) => stops.push(reason));
  outbox.consume('c', () => undefined);
  await waitFor(() => starts > 0);
  // Several renewals.
  const before = await state.findOne({ _id: 'lease:c' });
  await waitFor(async () => {
    const { renewedAt } = (await state.findOne({ _id: 'lease:c' })) as unknown as { renewedAt: Date };
    return renewedAt.getTime() - (before as unknown as { renewedAt: Date }).renewedAt.getTime() > 400;
  });
  expect(stops).toEqual([]);
  expect(connection.name).toBe(database);
});

/**
 * Five messages: the first is held until it is given up, the second fails until it is told not to, and the next two wait
 * behind that, of the same key.
 */
async function heldAndFailing() {
  const made = await watchedOutbox({ options: { closeTimeoutMs: 20 } });
  const handled: number[] = [];
  const script = { held: true, failing: true };
  await made.put([keyed(1, 'slow'), keyed(2, 'a'), keyed(3, 'a'), keyed(4, 'a'), keyed(5, 'b')]);
  const consume = () =>
    made.outbox.consume(
      'c',
      async ({ position }, { signal }) => {
        if (position === 1 && script.held) {
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))));
        }
        if (position === 2 && script.failing) throw new Error('not yet');
        handled.push(position);
      },
      { concurrency: 4, retry: quick },
    );
  /** Closes the one that has handled what failed, and lets another one handle the rest: nothing comes twice. */
  const expectNothingAgain = async (consumer: Consumer): Promise<void> => {
    script.failing = false;
    await waitFor(() => handled.includes(4));
    await waitFor(async () => (await made.failures()).length === 0);
    expect((await made.checkpoint('c')).position).toBe(0);
    // The slow one is given up: it comes again, and nothing else does.
    await consumer.close();
    script.held = false;
    consume();
    await made.put([keyed(6, 'z')]);
    await reached(made, 6);
    expect([...handled].sort((one, two) => one - two)).toEqual([1, 2, 3, 4, 5, 6]);
  };
  return { made, consume, expectNothingAgain, allAside: async () => (await made.failures()).length === 3 };
}

it('what was handled from failures above the checkpoint does not come again after a close', async () => {
  const { consume, expectNothingAgain, allAside } = await heldAndFailing();
  const consumer = consume();
  await waitFor(allAside);
  await expectNothingAgain(consumer);
});

it('what an earlier owner set aside and this one handled, above the checkpoint, does not come again after a close', async () => {
  const { consume, expectNothingAgain, allAside } = await heldAndFailing();
  const earlier = consume();
  await waitFor(allAside);
  await earlier.close();
  // This one never reads them from the log: their failures are there.
  await expectNothingAgain(consume());
});

it('a window full of messages that a destination refused goes on, though a failure below them is due', async () => {
  const made = await watchedOutbox();
  const refuse = gate();
  let phase: 'own failure' | 'held' | 'down' | 'up' = 'own failure';
  const published: number[] = [];
  await made.put(range(1, 3).map((nr) => keyed(nr)));
  made.outbox.relay(
    'c',
    {
      publish: async (messages) => {
        const failing = phase === 'own failure' ? messages.filter(({ position }) => position === 1) : [];
        if (phase === 'held') await refuse.opened;
        if (phase === 'held' || phase === 'down') throw new Error('down');
        published.push(...messages.filter((message) => !failing.includes(message)).map(({ position }) => position));
        return { failed: failing.map(({ position }) => ({ position, error: new Error('not yet') })) };
      },
    },
    { batchSize: 2, retry: { ...quick, initialDelayMs: 300, maxDelayMs: 300 } },
  );
  await reached(made, 3);
  phase = 'held';
  await made.put(range(4, 6).map((nr) => keyed(nr)));
  // Its retry has come due, and waits in front of the messages that fill the window.
  const failures = made.connection.collection('Outbox.failures');
  await waitFor(() => failures.findOne({ position: 1, begun: { $exists: true } }));
  phase = 'down';
  refuse.open();
  await waitFor(() => made.of('consumer:outage').length > 0);
  phase = 'up';
  await reached(made, 9);
  await waitFor(async () => (await made.failures()).length === 0);
  expect([...published].sort((one, two) => one - two)).toEqual(range(1, 9));
});
