import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox } from '../../support/watched-outbox.js';

const strict = 'strict' as const;
const patient = { ...quick, maxAttempts: 1_000 };

it('everything is handled one after another in log order, whatever the keys', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 120).map((nr) => keyed(nr, nr % 2 === 0 ? `key ${nr % 6}` : undefined)));
  const done: number[] = [];
  let running = 0;
  let most = 0;
  made.outbox.consume(
    'c',
    async ({ position }) => {
      most = Math.max(most, (running += 1));
      await after(position % 3);
      running -= 1;
      done.push(position);
    },
    { order: strict },
  );
  await reached(made, 120);
  expect(most).toBe(1);
  expect(done).toEqual(range(1, 120));
});

it('a message that fails holds everything back, and failures.list shows what is waited for', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 30).map((nr) => keyed(nr, `key ${nr % 4}`)));
  let broken = true;
  const done: number[] = [];
  const attempts: number[] = [];
  made.outbox.consume(
    'c',
    ({ position }, { attempt }) => {
      if (position === 10) attempts.push(attempt);
      if (broken && position === 10) throw new Error('ten is broken');
      done.push(position);
    },
    { order: strict, retry: patient },
  );
  await waitFor(() => attempts.length >= 4);
  expect(done).toEqual(range(1, 9));
  expect(await made.failures()).toMatchObject([
    { position: 10, key: 'key 2', state: 'retrying', lastError: { message: 'ten is broken' } },
  ]);
  expect((await made.checkpoint()).position).toBeLessThanOrEqual(10);
  // What the owner tells of itself comes with the next renewal of its lease.
  await waitFor(async () => (await made.info()).lastError?.message === 'ten is broken');
  expect(await made.info()).toMatchObject({ state: 'running', retrying: 1, dead: 0 });
  broken = false;
  await reached(made, 30);
  expect(done).toEqual(range(1, 30));
  expect(attempts).toEqual(range(1, attempts.length));
  await waitFor(async () => (await made.failures()).length === 0);
});

it('a relay waits as well: nothing beyond the batch of a failed message is published before it', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 30).map((nr) => keyed(nr, `key ${nr}`)));
  await readBeside(made.outbox, 30);
  let broken = true;
  let tries = 0;
  const done: number[] = [];
  made.outbox.relay(
    'c',
    {
      publish: async (messages) => {
        const failed = messages.filter(({ position }) => broken && position === 8);
        tries += failed.length;
        done.push(...messages.filter((message) => !failed.includes(message)).map(({ position }) => position));
        return { failed: failed.map(({ position }) => ({ position, error: new Error('eight is broken') })) };
      },
    },
    { order: strict, batchSize: 5, retry: patient },
  );
  await waitFor(() => tries >= 3);
  expect(await made.failures()).toMatchObject([{ position: 8, state: 'retrying' }]);
  // What the publisher acknowledged of that batch is done, and not sent again.
  const before = [...done];
  expect(Math.max(...before)).toBeLessThanOrEqual(12);
  broken = false;
  await reached(made, 30);
  expect(done.slice(0, before.length + 1)).toEqual([...before, 8]);
  expect([...done].sort((a, b) => a - b)).toEqual(range(1, 30));
  expect(done.slice(before.length + 1)).toEqual([...done.slice(before.length + 1)].sort((a, b) => a - b));
});

describe('a dead letter', () => {
  it('with onDeadLetter "continue" is passed', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 8).map((nr) => keyed(nr)));
    const done: number[] = [];
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (position === 3) throw new Error('broken');
        done.push(position);
      },
      { order: strict, retry: { ...quick, maxAttempts: 2 } },
    );
    await reached(made, 8);
    expect(done).toEqual([1, 2, 4, 5, 6, 7, 8]);
    expect(await made.failures()).toMatchObject([{ position: 3, state: 'dead', attempts: 2, nextAttemptAt: null }]);
  });

  it.each([
    ['retry', 1],
    ['retry', 3],
    ['discard', 1],
    ['discard', 3],
  ] as const)('with "block" holds everything back until %s (dead after attempt %i)', async (what, maxAttempts) => {
    const made = await watchedOutbox();
    await made.put(range(1, 8).map((nr) => keyed(nr)));
    const done: number[] = [];
    let broken = true;
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (broken && position === 3) throw new Error('broken');
        done.push(position);
      },
      { order: strict, onDeadLetter: 'block', retry: { ...quick, maxAttempts } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    await readBeside(made.outbox, 8);
    expect(done).toEqual([1, 2]);
    await waitFor(async () => (await made.info()).state === 'blocked');
    broken = false;
    expect(await made.outbox.failures[what]({ consumer: 'c', positions: [3] })).toBe(1);
    await reached(made, 8);
    expect(done).toEqual(what === 'retry' ? range(1, 8) : [1, 2, 4, 5, 6, 7, 8]);
    expect(await made.failures()).toEqual([]);
  });
});

it.each(['discard', 'retry'] as const)('%s of the message that is waited for lets the others go on', async (what) => {
  const made = await watchedOutbox();
  await made.put(range(1, 8).map((nr) => keyed(nr)));
  const done: number[] = [];
  let broken = true;
  made.outbox.consume(
    'c',
    ({ position }) => {
      if (broken && position === 3) throw new Error('broken');
      done.push(position);
    },
    { order: strict, retry: { initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
  );
  await waitFor(async () => (await made.failures()).length === 1);
  broken = false;
  expect(await made.outbox.failures[what]({ consumer: 'c', state: 'retrying' })).toBe(1);
  await reached(made, 8);
  expect(done).toEqual(what === 'retry' ? range(1, 8) : [1, 2, 4, 5, 6, 7, 8]);
});

it('another process goes on waiting for the same message', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 6).map((nr) => keyed(nr)));
  const done: number[] = [];
  const attempts: number[] = [];
  let broken = true;
  const handle = ({ position }: { position: number }, { attempt }: { attempt: number }) => {
    if (position === 2) attempts.push(attempt);
    if (broken && position === 2) throw new Error('broken');
    done.push(position);
  };
  const first = made.outbox.consume('c', handle, { order: strict, retry: patient });
  await waitFor(() => attempts.length >= 3);
  await first.close();
  const before = attempts.length;
  const other = await watchedOutbox({ database: made.database });
  other.outbox.consume('c', handle, { order: strict, retry: patient });
  await waitFor(() => attempts.length >= before + 2);
  expect(done).toEqual([1]);
  expect(attempts).toEqual(range(1, attempts.length));
  broken = false;
  await reached(made, 6);
  expect(done).toEqual(range(1, 6));
});
