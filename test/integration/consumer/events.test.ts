import { describe, expect, it } from 'vitest';

import { PermanentError, Unavailable, type OutboxEvents } from '../../../src/index.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, watchedOutbox } from '../../support/watched-outbox.js';

const ignore = () => undefined;
const base = { outbox: 'Outbox', consumer: 'c' };

it('consumer:start, consumer:progress and consumer:stop tell where it is, with the epoch of the owner', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 10).map((nr) => keyed(nr)));
  const consumer = made.outbox.consume('c', ignore);
  await reached(made, 10);
  await consumer.close();
  const { epoch } = await made.info();
  expect(made.told[0]).toEqual({ event: 'consumer:start', payload: { ...base, position: 0, epoch } });
  const progress = made.of('consumer:progress');
  expect(progress.at(-1)).toEqual({ ...base, position: 10, epoch });
  const positions = progress.map(({ position }) => position);
  expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
  expect(made.told.at(-1)).toEqual({
    event: 'consumer:stop',
    payload: { ...base, position: 10, epoch, reason: 'closed' },
  });
  const again = made.outbox.consume('c', ignore);
  await waitFor(() => made.of('consumer:start').length === 2);
  expect(made.of('consumer:start')[1]).toEqual({ ...base, position: 10, epoch: epoch + 1 });
  await again.close();
});

it('consumer:stop says why: closed, a request, an unknown type', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1), { type: 'order_shipped', data: { ordernr: 2 } }]);
  const first = made.outbox.consume('c', { order_created: ignore } as never);
  await waitFor(() => made.of('consumer:stop').length === 1);
  await first.close();
  const second = made.outbox.consume('c', ignore);
  await reached(made, 2);
  await made.outbox.consumers.pause('c');
  await waitFor(() => made.of('consumer:stop').some(({ reason }) => reason === 'request'));
  await made.outbox.consumers.resume('c');
  const starts = made.of('consumer:start').length;
  await waitFor(() => made.of('consumer:start').length > starts);
  await second.close();
  expect(made.of('consumer:stop').map(({ reason, position }) => [reason, position])).toEqual([
    ['unknown type', 1],
    ['request', 2],
    ['closed', 2],
  ]);
});

it('consumer:park, consumer:retry and consumer:dead tell of the message, the attempt and the error', async () => {
  const made = await watchedOutbox();
  await made.outbox.put({ type: 'order_created', data: { ordernr: 1 }, id: 'own id', key: 'k' }, null);
  await made.put([keyed(2, 'k'), keyed(3)]);
  const errors: Error[] = [];
  const permanent = new PermanentError('never');
  made.outbox.consume(
    'c',
    ({ position }, { attempt }) => {
      if (position === 2) throw permanent;
      if (position === 3) return;
      const error = new Error(`attempt ${attempt}`);
      errors.push(error);
      throw error;
    },
    { retry: { ...quick, maxAttempts: 3 } },
  );
  await waitFor(() => made.of('consumer:dead').length === 2);
  const message = { ...base, id: 'own id', position: 1, type: 'order_created' };
  const nextAttemptAt = expect.any(Date) as Date;
  expect(made.of('consumer:park')).toEqual([{ ...message, attempt: 1, error: errors[0], nextAttemptAt }]);
  expect(made.of('consumer:retry')).toEqual([{ ...message, attempt: 2, error: errors[1], nextAttemptAt }]);
  const [failure] = await made.failures();
  expect(made.of('consumer:dead')).toEqual([
    { ...message, attempt: 3, error: errors[2] },
    { ...base, id: (await made.failures())[1]!.id, position: 2, type: 'order_created', attempt: 1, error: permanent },
  ]);
  expect(made.of('consumer:dead')[0]!.error).toBe(errors[2]);
  // Told once it is stored.
  expect(failure).toMatchObject({ state: 'dead', attempts: 3 });
  expect(made.told.filter(({ event }) => /park|retry|dead/.test(event)).map(({ event }) => event)).toEqual([
    'consumer:park',
    'consumer:retry',
    'consumer:dead',
    'consumer:dead',
  ]);
});

it('of a relay too', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1), keyed(2)]);
  const error = new Error('two');
  made.outbox.relay(
    'c',
    {
      publish: async (messages) => ({
        failed: messages.filter(({ position }) => position === 2).map(({ position }) => ({ position, error })),
      }),
    },
    { retry: { ...quick, maxAttempts: 2 } },
  );
  await waitFor(() => made.of('consumer:dead').length === 1);
  expect(made.of('consumer:park')).toMatchObject([{ ...base, position: 2, attempt: 1, error }]);
  expect(made.of('consumer:dead')).toMatchObject([{ ...base, position: 2, attempt: 2, error }]);
  expect(made.of('consumer:retry')).toEqual([]);
});

it('consumer:outage tells once that the destination is down, with the error, and once that it is up', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 10).map((nr) => keyed(nr)));
  const error = new Unavailable('down');
  let up = false;
  let calls = 0;
  made.outbox.consume(
    'c',
    () => {
      calls += 1;
      if (!up) throw error;
    },
    { retry: quick },
  );
  await waitFor(() => calls >= 8);
  up = true;
  await reached(made, 10);
  expect(made.of('consumer:outage')).toEqual([
    { ...base, state: 'down', error },
    { ...base, state: 'up' },
  ]);
  expect(made.of('consumer:park')).toEqual([]);
});

it('error tells of what ends a consumer, with its name', async () => {
  const made = await watchedOutbox();
  const consumer = made.outbox.consume('c', ignore, { from: 99 });
  await expect(consumer.closed).rejects.toMatchObject({ code: 'POSITION_LOST' });
  expect(made.of('error')).toMatchObject([
    { outbox: 'Outbox', part: 'consumer', consumer: 'c', error: { code: 'POSITION_LOST' } },
  ]);
});

it('consumer:lost tells that another has it', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1)]);
  made.outbox.consume('c', ignore);
  await reached(made, 1);
  const { epoch } = await made.info();
  await made.connection
    .collection('Outbox.state')
    .updateOne(
      { _id: 'lease:c' as never },
      { $set: { owner: 'somebody', expiresAt: new Date(0) }, $inc: { epoch: 1 } },
    );
  await waitFor(() => made.of('consumer:lost').length === 1);
  expect(made.of('consumer:lost')).toEqual([{ ...base, epoch }]);
  // Back to standby, not the end.
  await made.put([keyed(2)]);
  await reached(made, 2);
  expect(made.of('consumer:start').map((start) => start.epoch)).toEqual([epoch, epoch + 2]);
});

describe('a listener that throws', () => {
  const all: (keyof OutboxEvents)[] = [
    ...(['consumer:start', 'consumer:progress', 'consumer:retry', 'consumer:park', 'consumer:dead'] as const),
    ...(['consumer:outage', 'consumer:stop', 'consumer:lost', 'error', 'log:append', 'sequencer:elected'] as const),
  ];

  it.each<[string, () => unknown]>([
    [
      'at once',
      () => {
        throw new Error('listener');
      },
    ],
    ['later', () => Promise.reject(new Error('listener'))],
    [
      'something that is no error',
      () => {
        throw undefined as unknown as Error;
      },
    ],
  ])('%s breaks nothing', async (_how, listener) => {
    const made = await watchedOutbox();
    for (const event of all) made.outbox.on(event, listener);
    await made.put(range(1, 40).map((nr) => keyed(nr, `key ${nr % 5}`)));
    const done: number[] = [];
    let down = true;
    const consumer = made.outbox.consume(
      'c',
      ({ position }, { attempt }) => {
        if (position === 3 && attempt < 3) throw new Error('bad');
        if (position === 4) throw new PermanentError('never');
        if (position > 20 && down) throw new Unavailable();
        done.push(position);
      },
      { concurrency: 4, retry: quick },
    );
    await waitFor(() => made.of('consumer:outage').length >= 1);
    down = false;
    await reached(made, 40);
    await waitFor(() => done.length === 39);
    await waitFor(async () => (await made.failures()).length === 1);
    await made.outbox.consumers.pause('c');
    await made.outbox.consumers.resume('c');
    await made.put([keyed(41)]);
    await waitFor(() => done.length === 40);
    await consumer.close();
    expect([...done].sort((a, b) => a - b)).toEqual(range(1, 41).filter((nr) => nr !== 4));
    // Told of, but for the `error` listener's own fault.
    expect(made.of('error').filter(({ part }) => part === 'listener').length).toBeGreaterThan(5);
    expect(made.of('error').filter(({ part }) => part !== 'listener')).toEqual([]);
  });
});

it('a listener that closes the consumer, or starts another, is no trouble', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 20).map((nr) => keyed(nr)));
  const done: number[] = [];
  const consumer = made.outbox.consume('c', ({ position }) => void done.push(position), { batchSize: 2 });
  made.outbox.on('consumer:progress', ({ consumer: name }) => {
    if (name === 'c') void consumer.close();
  });
  await consumer.closed;
  const made2 = await watchedOutbox({ database: made.database });
  made2.outbox.consume('c', ({ position }) => void done.push(position));
  await reached(made, 20);
  expect(done).toEqual(range(1, 20));
});

it('off takes a listener off', async () => {
  const made = await watchedOutbox();
  const found: number[] = [];
  const listener = ({ position }: { position: number }) => void found.push(position);
  made.outbox.on('consumer:start', listener).off('consumer:start', listener);
  made.outbox.consume('c', ignore);
  await waitFor(() => made.of('consumer:start').length === 1);
  expect(found).toEqual([]);
});
