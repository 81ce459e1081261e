import { expect, it } from 'vitest';

import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
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
  const starts: number[] = [];
  outbox.on('consumer:start', ({ epoch }) => starts.push(epoch));
  outbox.consume('c', () => undefined);
  await waitFor(() => starts.length > 0);
  // Several renewals.
  const before = await state.findOne({ _id: 'lease:c' });
  await waitFor(async () => {
    const { renewedAt } = (await state.findOne({ _id: 'lease:c' })) as unknown as { renewedAt: Date };
    return renewedAt.getTime() - (before as unknown as { renewedAt: Date }).renewedAt.getTime() > 400;
  });
  expect(starts).toHaveLength(1);
  expect(connection.name).toBe(database);
});

it('what was handled from failures above the checkpoint does not come again after a close', async () => {
  const made = await watchedOutbox({ options: { closeTimeoutMs: 20 } });
  const handled: number[] = [];
  let failing = true;
  let first = true;
  await made.put([keyed(1, 'slow'), keyed(2, 'a'), keyed(3, 'a'), keyed(4, 'a'), keyed(5, 'b')]);
  const handle = async ({ position }: { position: number }, { signal }: { signal: AbortSignal }): Promise<void> => {
    if (position === 1 && first) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))));
    }
    if (position === 2 && failing) throw new Error('not yet');
    handled.push(position);
  };
  const consumer = made.outbox.consume('c', handle, { concurrency: 4, retry: quick });
  await waitFor(() => made.of('consumer:park').length > 0);
  await waitFor(async () => (await made.failures()).length === 3);
  failing = false;
  await waitFor(() => handled.includes(4));
  await waitFor(async () => (await made.failures()).length === 0);
  expect((await made.checkpoint('c')).position).toBe(0);
  // The slow one is given up: it comes again, and nothing else does.
  await consumer.close();
  first = false;
  made.outbox.consume('c', handle, { concurrency: 4, retry: quick });
  await made.put([keyed(6, 'z')]);
  await reached(made, 6);
  expect([...handled].sort((one, two) => one - two)).toEqual([1, 2, 3, 4, 5, 6]);
});

it('a window full of messages that a destination refused does not wait for a failure that is due', async () => {
  const made = await watchedOutbox();
  let own = true;
  let down = false;
  const published: number[] = [];
  await made.put(range(1, 3).map((nr) => keyed(nr)));
  made.outbox.relay(
    'c',
    {
      publish: (messages) => {
        if (down) return Promise.reject(new Error('down'));
        const failed = own ? messages.filter(({ position }) => position === 1) : [];
        published.push(...messages.map(({ position }) => position).filter((position) => !own || position !== 1));
        return Promise.resolve({ failed: failed.map(({ position }) => ({ position, error: new Error('not yet') })) });
      },
    },
    { batchSize: 2, retry: { ...quick, initialDelayMs: 400, maxDelayMs: 400 } },
  );
  await reached(made, 3);
  // Its retry comes due while the window is full of what is refused.
  [own, down] = [false, true];
  await made.put(range(4, 9).map((nr) => keyed(nr)));
  await waitFor(() => made.of('consumer:outage').length > 0);
  await waitFor(async () => {
    const [failure] = await made.failures();
    return failure !== undefined && failure.nextAttemptAt !== null && failure.nextAttemptAt.getTime() < Date.now();
  });
  down = false;
  await reached(made, 9);
  await waitFor(async () => (await made.failures()).length === 0);
  expect([...published].sort((one, two) => one - two)).toEqual(range(1, 9));
});
