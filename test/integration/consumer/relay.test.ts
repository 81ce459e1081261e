import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import {
  OutboxError,
  PermanentError,
  RetryAfter,
  type Delivered,
  type PublishContext,
  type PublishResult,
} from '../../../src/index.js';
import { pageSize } from '../../../src/tail/check-page.js';
import { recordCommands } from '../../support/commands.js';
import { waitFor, type TestMessage } from '../../support/create-outbox.js';
import { gate } from '../../support/gate.js';
import { expectInOrder, range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox } from '../../support/watched-outbox.js';

type Batch = readonly Delivered<TestMessage>[];
const positionsOf = (batch: Batch) => batch.map(({ position }) => position);

it('a publisher gets batches in log order, at most batchSize, each message once', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 1_030).map((nr) => keyed(nr, `key ${nr % 5}`)));
  // In the log at first, so that a batch can be full.
  await readBeside(made.outbox, 1_030);
  const batches: Batch[] = [];
  let running = 0;
  let most = 0;
  made.outbox.relay(
    'c',
    {
      publish: async (messages) => {
        most = Math.max(most, (running += 1));
        batches.push(messages);
        await after(1);
        running -= 1;
      },
    },
    { batchSize: 100 },
  );
  await reached(made, 1_030);
  expectInOrder(batches.flat());
  expect(Math.max(...batches.map(({ length }) => length))).toBe(100);
  // Not one at a time: nearly all of them are full.
  expect(batches.length).toBeLessThan(25);
  expect(most).toBe(1);
});

it('a message put alone is published alone, without waiting for more', async () => {
  const made = await watchedOutbox();
  const batches: number[][] = [];
  made.outbox.relay('c', { publish: async (messages) => void batches.push(positionsOf(messages)) });
  for (const nr of [1, 2, 3]) {
    await made.put([keyed(nr)]);
    await waitFor(() => batches.length === nr);
  }
  expect(batches).toEqual([[1], [2], [3]]);
});

it('types leaves the others out, and the checkpoint passes them', async () => {
  const made = await watchedOutbox();
  await made.put(
    range(1, 10).map(
      (nr) => ({ type: nr % 2 === 0 ? 'order_shipped' : 'order_created', data: { ordernr: nr } }) as const,
    ),
  );
  const found: number[] = [];
  made.outbox.relay<'order_shipped'>(
    'c',
    { publish: async (messages) => void found.push(...messages.map(({ position }) => position)) },
    { types: ['order_shipped'] },
  );
  await reached(made, 10);
  expect(found).toEqual([2, 4, 6, 8, 10]);
});

describe('a partial failure', () => {
  it('done are all but the failed ones and what comes behind them in their key; what was acknowledged is never sent again', async () => {
    const made = await watchedOutbox();
    const total = 400;
    const keyOf = (nr: number) => (nr % 7 === 0 ? undefined : `key ${nr % 5}`);
    await made.put(range(1, total).map((nr) => keyed(nr, keyOf(nr))));
    const fails = new Map<number, number>(
      range(1, total)
        .filter((nr) => nr % 23 === 0 || nr % 31 === 0)
        .map((nr) => [nr, 2]),
    );
    const acknowledged: { position: number; key: string | undefined }[] = [];
    const again: number[] = [];
    made.outbox.relay(
      'c',
      {
        publish: async (messages) => {
          const failed: { position: number; error: unknown }[] = [];
          const failedKeys = new Set<string>();
          for (const { position, key } of messages) {
            const left = fails.get(position) ?? 0;
            if (left > 0) {
              fails.set(position, left - 1);
              failed.push({ position, error: new Error(`no ${position}`) });
              if (key !== undefined) failedKeys.add(key);
            } else if (key === undefined || !failedKeys.has(key)) {
              if (acknowledged.some((each) => each.position === position)) again.push(position);
              acknowledged.push({ position, key });
            }
          }
          return { failed };
        },
      },
      { batchSize: 60, retry: { ...quick, maxAttempts: 5 } },
    );
    await reached(made, total);
    await waitFor(() => acknowledged.length >= total);
    await waitFor(async () => (await made.failures()).length === 0);
    expect(again).toEqual([]);
    expect(acknowledged.map(({ position }) => position).sort((a, b) => a - b)).toEqual(range(1, total));
    for (const key of range(0, 5).map((nr) => `key ${nr}`)) {
      const ofKey = acknowledged.filter((each) => each.key === key).map(({ position }) => position);
      expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
    }
    expect(made.of('consumer:outage')).toEqual([]);
    expect([...fails.values()].every((left) => left === 0)).toBe(true);
  });

  it('parks the failed one with its own error, and queues what is behind it', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 9).map((nr) => keyed(nr, nr % 3 === 0 ? 'k' : `key ${nr}`)));
    const verdicts = new Map<number, unknown>([
      [1, new PermanentError('for good')],
      [2, 'just text'],
      [3, Object.assign(new Error('three'), { code: 'E3' })],
      [4, new RetryAfter(3_000_000)],
      [5, undefined],
    ]);
    made.outbox.relay('c', { publish: async () => ({ failed: [] }) }, { signal: AbortSignal.abort() });
    const consumer = made.outbox.relay(
      'relay',
      {
        publish: async (messages) => ({
          failed: messages
            .filter(({ position }) => verdicts.has(position))
            .map(({ position }) => ({ position, error: verdicts.get(position) })),
        }),
      },
      { retry: { initialDelayMs: 1_000_000, maxDelayMs: 10_000_000, jitter: 0 } },
    );
    await reached(made, 9, 'relay');
    await waitFor(async () => (await made.failures('relay')).length === 7);
    await consumer.close();
    const found = await made.failures('relay');
    expect(found.map(({ position, state, attempts }) => [position, state, attempts])).toEqual([
      [1, 'dead', 1],
      [2, 'retrying', 1],
      [3, 'retrying', 1],
      [4, 'retrying', 1],
      [5, 'retrying', 1],
      [6, 'queued', 0],
      [9, 'queued', 0],
    ]);
    expect(found.map(({ lastError }) => lastError?.message ?? null)).toEqual([
      'for good',
      expect.stringContaining('just text'),
      'three',
      expect.any(String),
      expect.any(String),
      null,
      null,
    ]);
    expect(found[2]!.lastError).toMatchObject({ name: 'Error', code: 'E3' });
    const delays = found.slice(1, 5).map((each) => +each.nextAttemptAt! - +each.lastFailedAt);
    expect(delays).toEqual([1_000_000, 1_000_000, 3_000_000, 1_000_000]);
  });

  it('of every message is no outage, where the publisher says so of each', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 20).map((nr) => keyed(nr, `key ${nr}`)));
    made.outbox.relay(
      'c',
      {
        publish: async (messages) => ({
          failed: messages.map(({ position }) => ({ position, error: new Error('bad') })),
        }),
      },
      { retry: { ...quick, maxAttempts: 2 } },
    );
    await waitFor(async () => (await made.failures()).filter(({ state }) => state === 'dead').length === 20);
    expect((await made.failures()).every(({ attempts }) => attempts === 2)).toBe(true);
    expect(made.of('consumer:outage')).toEqual([]);
  });

  it.each<[string, PublishResult | null | undefined]>([
    ['nothing', undefined],
    ['null', null],
    ['no failures', { failed: [] }],
  ])('%s means that all are done', async (_what, result) => {
    const made = await watchedOutbox();
    await made.put(range(1, 20).map((nr) => keyed(nr, 'k')));
    const found: number[] = [];
    made.outbox.relay('c', {
      publish: async (messages) => {
        found.push(...positionsOf(messages));
        return result as PublishResult;
      },
    });
    await reached(made, 20);
    expect(found).toEqual(range(1, 20));
    expect(await made.failures()).toEqual([]);
  });
});

describe('an answer that can not be trusted', () => {
  it.each<[string, (batch: Batch) => unknown]>([
    ['a position that it was not given', () => ({ failed: [{ position: 99, error: new Error('x') }] })],
    ['a position of an earlier time', () => ({ failed: [{ position: 0, error: new Error('x') }] })],
    ['an id instead of a position', (batch) => ({ failed: [{ id: batch[0]!.id, error: new Error('x') }] })],
    ['a position as a string', (batch) => ({ failed: [{ position: String(batch[0]!.position) }] })],
    ['no list', () => ({ failed: 'none' })],
    ['another object', () => ({ ok: true })],
    ['a number', () => 3],
    ['null in the list', () => ({ failed: [null] })],
  ])('%s is told of; the batch counts as not published, no attempt is spent', async (_what, answer) => {
    const made = await watchedOutbox();
    await made.put(range(1, 10).map((nr) => keyed(nr, `key ${nr}`)));
    let broken = true;
    let calls = 0;
    const found: number[] = [];
    made.outbox.relay(
      'c',
      {
        publish: async (messages) => {
          calls += 1;
          if (broken) return answer(messages) as PublishResult;
          found.push(...positionsOf(messages));
          return undefined;
        },
      },
      { retry: quick },
    );
    await waitFor(() => calls > 8);
    const told = await waitFor(() =>
      [...made.of('consumer:outage'), ...made.of('error')].find(({ error }) => error instanceof OutboxError),
    );
    expect(told.error).toMatchObject({ code: 'INVALID_RESULT', retryable: false });
    expect(await made.failures()).toEqual([]);
    expect((await made.checkpoint()).position).toBe(0);
    await waitFor(async () => (await made.info()).lastError?.code === 'INVALID_RESULT');
    broken = false;
    await reached(made, 10);
    expect([...found].sort((a, b) => a - b)).toEqual(range(1, 10));
  });
});

it('a publisher that throws at once, or is no async function, is as good as one that rejects', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 10).map((nr) => keyed(nr, `key ${nr}`)));
  let broken = true;
  let calls = 0;
  const found: number[] = [];
  const publisher = {
    found,
    publish(messages: Batch) {
      calls += 1;
      if (broken) throw new Error('at once');
      // `this` is the publisher.
      this.found.push(...positionsOf(messages));
    },
  };
  made.outbox.relay('c', publisher as never, { retry: quick });
  await waitFor(() => calls > 6);
  expect(await made.failures()).toEqual([]);
  await waitFor(async () => (await made.info()).state === 'backing-off');
  broken = false;
  await reached(made, 10);
  expect([...found].sort((a, b) => a - b)).toEqual(range(1, 10));
});

describe('the context', () => {
  it('has the name, the epoch, which rises with the owner, and a signal', async () => {
    const made = await watchedOutbox();
    const contexts: PublishContext[] = [];
    for (const nr of [1, 2, 3]) {
      const process = await watchedOutbox({ database: made.database });
      const relay = process.outbox.relay('c', { publish: async (_, context) => void contexts.push(context) });
      await made.put([keyed(nr)]);
      await waitFor(() => contexts.length === nr);
      expect(contexts.at(-1)!.epoch).toBe((await made.info()).epoch);
      await relay.close();
    }
    expect(contexts.map(({ consumer }) => consumer)).toEqual(['c', 'c', 'c']);
    const epochs = contexts.map(({ epoch }) => epoch);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
    for (const context of contexts) {
      expect(context.signal).toBeInstanceOf(AbortSignal);
      expect(context).not.toHaveProperty('attempt');
    }
  });

  it('its signal aborts when closing takes longer than closeTimeoutMs; what is in flight then comes again', async () => {
    const made = await watchedOutbox({ options: { closeTimeoutMs: 50 } });
    await made.put([keyed(1)]);
    const runs: number[] = [];
    const held = gate();
    const reasons: boolean[] = [];
    const first = made.outbox.relay('c', {
      publish: async (messages, { signal }) => {
        runs.push(...positionsOf(messages));
        signal.addEventListener('abort', () => {
          reasons.push(signal.aborted);
          held.open();
        });
        await held.opened;
        throw new Error('stopped');
      },
    });
    await waitFor(() => runs.length === 1);
    await first.close();
    expect(reasons).toEqual([true]);
    expect(await made.failures()).toEqual([]);
    made.outbox.relay('c', { publish: async (messages) => void runs.push(...positionsOf(messages)) });
    await reached(made, 1);
    expect(runs).toEqual([1, 1]);
  });

  it('a close lets the batch under way finish, and nothing of it repeats', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 50).map((nr) => keyed(nr)));
    const held = gate();
    const runs: number[] = [];
    const first = made.outbox.relay(
      'c',
      {
        publish: async (messages, { signal }) => {
          await held.opened;
          expect(signal.aborted).toBe(false);
          runs.push(...positionsOf(messages));
        },
      },
      { batchSize: 20 },
    );
    await waitFor(async () => (await made.checkpoint()).begun !== null);
    const closed = first.close();
    held.open();
    await closed;
    made.outbox.relay('c', { publish: async (messages) => void runs.push(...positionsOf(messages)) });
    await reached(made, 50);
    expect(runs).toEqual(range(1, 50));
  });
});

it('while one batch is published, the next one is read', async () => {
  const made = await watchedOutbox({ connect: { monitorCommands: true } });
  const total = 6_000;
  await made.put(range(1, total).map((nr) => keyed(nr)));
  await readBeside(made.outbox, total);
  const sent = recordCommands(made.connection);
  const held = gate();
  const batches: number[][] = [];
  const readsOfLog = () =>
    sent.filter(
      ({ name, collection, command }) => name === 'find' && collection === 'Outbox' && command.tailable !== true,
    ).length;
  made.outbox.relay(
    'c',
    {
      publish: async (messages) => {
        batches.push(positionsOf(messages));
        if (batches.length > 1) return;
        await held.opened;
      },
    },
    { batchSize: 10_000 },
  );
  await waitFor(() => batches.length === 1);
  // All pages of it, of which the batch has the first one, or some more where publishing was late.
  await waitFor(() => readsOfLog() >= Math.ceil(total / pageSize));
  held.open();
  await reached(made, total);
  expect(batches.flat()).toEqual(range(1, total));
}, 60_000);

it('a close that aborts a publish spends no attempt of what is retried', async () => {
  const made = await watchedOutbox({ options: { closeTimeoutMs: 50 } });
  await made.put([keyed(1)]);
  let calls = 0;
  const first = made.outbox.relay(
    'c',
    {
      publish: async (messages, { signal }) => {
        calls += 1;
        if (calls === 1) return { failed: [{ position: messages[0]!.position, error: new Error('bad') }] };
        return new Promise((_done, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
      },
    },
    { retry: { ...quick, maxAttempts: 2 } },
  );
  await waitFor(() => calls === 2);
  await first.close();
  expect(await made.failures()).toMatchObject([{ state: 'retrying', attempts: 1, lastError: { message: 'bad' } }]);
});
