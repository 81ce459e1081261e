import { describe, expect, it } from 'vitest';

import { OutboxError, PermanentError, type Failure, type FailureFilter } from '../../../src/index.js';
import { waitFor, type TestMessage } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { rejection } from '../../support/payloads.js';
import { keyed, quick, reached, readBeside, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';

const places = (failures: readonly Failure<TestMessage>[]) =>
  failures.map(({ consumer, position }) => `${consumer}${position}`);

/**
 * Consumers `a` and `b`, neither of which runs any more: position 1 is dead, 2 is being retried and 4 queued behind it,
 * 3 and 5 are dead; 6 was handled.
 */
async function withFailures(): Promise<WatchedOutbox> {
  const made = await watchedOutbox();
  const { outbox } = made;
  await outbox.put({ type: 'order_shipped', data: { ordernr: 1 }, id: 'one', key: 'x' }, null);
  await made.put([keyed(2, 'y'), keyed(3)]);
  await outbox.put({ type: 'order_shipped', data: { ordernr: 4 }, id: 'four', key: 'y' }, null);
  await made.put([keyed(5, 'x'), keyed(6)]);
  for (const name of ['b', 'a']) {
    const consumer = outbox.consume(
      name,
      ({ position }) => {
        if (position === 6) return;
        throw position === 2 ? new Error('later') : new PermanentError('never');
      },
      { retry: { initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
    );
    await reached(made, 6, name);
    await waitFor(async () => (await made.failures(name)).length === 5);
    await consumer.close();
  }
  return made;
}

const filters: [filter: FailureFilter, found: string[]][] = [
  [{ all: true }, ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'b3', 'b4', 'b5']],
  [{ consumer: 'a' }, ['a1', 'a2', 'a3', 'a4', 'a5']],
  [{ consumer: 'nobody' }, []],
  [{ state: 'dead' }, ['a1', 'a3', 'a5', 'b1', 'b3', 'b5']],
  [{ state: 'retrying' }, ['a2', 'b2']],
  [{ state: 'queued' }, ['a4', 'b4']],
  [{ type: 'order_shipped' }, ['a1', 'a4', 'b1', 'b4']],
  [{ key: 'x' }, ['a1', 'a5', 'b1', 'b5']],
  [{ ids: ['one', 'four', 'nobody'] }, ['a1', 'a4', 'b1', 'b4']],
  [{ ids: [] }, []],
  [{ positions: [3, 5, 99] }, ['a3', 'a5', 'b3', 'b5']],
  [{ positions: [] }, []],
  [{ consumer: 'b', state: 'dead', type: 'order_created' }, ['b3', 'b5']],
  [{ consumer: 'b', type: 'order_shipped', key: 'y', ids: ['four'], positions: [4] }, ['b4']],
  [{ all: true, consumer: 'a', state: 'queued' }, ['a4']],
  [{ all: true, limit: 3 }, ['a1', 'a2', 'a3']],
  [{ state: 'dead', limit: 4 }, ['a1', 'a3', 'a5', 'b1']],
  [{ all: true, after: { consumer: 'a', position: 4 } }, ['a5', 'b1', 'b2', 'b3', 'b4', 'b5']],
  [{ all: true, after: { consumer: 'a', position: 5 }, limit: 1 }, ['b1']],
  [{ state: 'dead', after: { consumer: 'b', position: 3 } }, ['b5']],
  [{ all: true, after: { consumer: null, position: null }, limit: 2 }, ['a1', 'a2']],
  [{ all: true, after: { consumer: 'b', position: 5 } }, []],
];

it('list finds what each filter says, in order of consumer and position, from any process', async () => {
  const made = await withFailures();
  const other = await watchedOutbox({ database: made.database });
  for (const [filter, found] of filters)
    expect(places(await other.outbox.failures.list(filter)), JSON.stringify(filter)).toEqual(found);
  expect(places(await other.outbox.failures.list({}))).toHaveLength(10);
  expect(places(await other.outbox.failures.list())).toHaveLength(10);
});

it('pages add up to everything, each once', async () => {
  const made = await withFailures();
  for (const limit of [1, 3, 4, 10]) {
    const found: Failure<TestMessage>[] = [];
    for (;;) {
      const last = found.at(-1);
      const page = await made.outbox.failures.list({
        all: true,
        limit,
        ...(last === undefined ? {} : { after: last }),
      });
      expect(page.length).toBeLessThanOrEqual(limit);
      if (page.length === 0) break;
      found.push(...page);
    }
    expect(places(found)).toEqual(filters[0]![1]);
  }
});

it('discard deletes what each filter says and nothing else, and tells how many', async () => {
  const made = await withFailures();
  const other = await watchedOutbox({ database: made.database });
  const collection = made.connection.collection('Outbox.failures');
  const kept = await collection.find().toArray();
  for (const [filter, found] of filters) {
    expect(await other.outbox.failures.discard(filter), JSON.stringify(filter)).toBe(found.length);
    const left = places(await other.outbox.failures.list());
    expect(left, JSON.stringify(filter)).toEqual(filters[0]![1].filter((place) => !found.includes(place)));
    await collection.deleteMany({});
    await collection.insertMany(kept);
  }
});

it('retry lets what each filter says be tried anew, but for queued ones, and tells how many', async () => {
  const made = await withFailures();
  const other = await watchedOutbox({ database: made.database });
  const collection = made.connection.collection('Outbox.failures');
  const kept = await collection.find().toArray();
  for (const [filter, found] of filters) {
    const tried = found.filter((place) => !place.endsWith('4'));
    if (filter.limit !== undefined) continue;
    expect(await other.outbox.failures.retry(filter), JSON.stringify(filter)).toBe(tried.length);
    for (const failure of await other.outbox.failures.list()) {
      const [place] = places([failure]);
      const { state, attempts, nextAttemptAt, lastError } = failure;
      if (tried.includes(place!)) {
        expect([state, attempts], place).toEqual(['retrying', 0]);
        expect(+nextAttemptAt!).toBeLessThanOrEqual(Date.now() + 1_000);
        // What went wrong before is kept.
        expect(lastError).not.toBeNull();
      } else expect(failure).toMatchObject(failureIn(kept, failure));
    }
    await collection.deleteMany({});
    await collection.insertMany(kept);
  }
});

function failureIn(documents: readonly Record<string, unknown>[], { consumer, position }: Failure<TestMessage>) {
  const found = documents.find((each) => each['consumer'] === consumer && each['position'] === position)!;
  return { state: found['state'], attempts: found['attempts'], nextAttemptAt: found['nextAttemptAt'] };
}

it('with a limit retry takes the first ones that can be retried', async () => {
  const made = await withFailures();
  expect(await made.outbox.failures.retry({ consumer: 'a', limit: 4 })).toBe(4);
  expect((await made.failures('a')).map(({ position, state }) => [position, state])).toEqual([
    [1, 'retrying'],
    [2, 'retrying'],
    [3, 'retrying'],
    [4, 'queued'],
    [5, 'retrying'],
  ]);
});

describe.each(['retry', 'discard'] as const)('%s', (what) => {
  it('refuses a filter that is empty, and does nothing', async () => {
    const made = await withFailures();
    for (const filter of [{}, { limit: 5 }, { after: { consumer: 'a', position: 1 } }, { consumer: undefined }]) {
      const error = await rejection(made.outbox.failures[what](filter as FailureFilter));
      expect(error).toBeInstanceOf(OutboxError);
      expect(error).toMatchObject({ code: 'INVALID_FILTER', message: expect.stringContaining('all: true') as string });
    }
    expect(places(await made.outbox.failures.list())).toHaveLength(10);
    expect(await made.outbox.failures.list({ state: 'dead' })).toHaveLength(6);
  });
});

describe.each(['list', 'retry', 'discard'] as const)('%s refuses', (what) => {
  it.each<[string, unknown]>([
    ['null', null],
    ['an array', [{ all: true }]],
    ['a string', 'c'],
    ['an unknown field', { consumers: 'c' }],
    ['a consumer that is no string', { consumer: 1 }],
    ['a consumer that is an operator', { consumer: { $ne: 'c' } }],
    ['a key that is an operator', { key: { $gt: '' } }],
    ['a type that is null', { type: null }],
    ['an unknown state', { state: 'done' }],
    ['a state that is an operator', { state: { $exists: true } }],
    ['ids that are none', { ids: 'one' }],
    ['ids that are no strings', { ids: [1] }],
    ['positions that are none', { positions: 3 }],
    ['positions that are not whole', { positions: [1.5] }],
    ['all: false', { all: false }],
    ['all: 1', { all: 1 }],
    ['a limit of 0', { all: true, limit: 0 }],
    ['a limit above 10,000', { all: true, limit: 10_001 }],
    ['a limit that is not whole', { all: true, limit: 1.5 }],
    ['after without a position', { all: true, after: { consumer: 'c' } }],
    ['after with half of it null', { all: true, after: { consumer: null, position: 3 } }],
    ['after that is no object', { all: true, after: 3 }],
  ])('%s', async (_what, filter) => {
    const { outbox } = await watchedOutbox();
    const error = await rejection(outbox.failures[what](filter as FailureFilter));
    expect(error).toBeInstanceOf(OutboxError);
    expect(error).toMatchObject({ code: 'INVALID_FILTER' });
  });
});

describe('while the consumer runs, from another process', () => {
  it('a dead letter that is retried is delivered again, in the order of its key', async () => {
    const made = await watchedOutbox();
    const other = await watchedOutbox({ database: made.database });
    await made.put(range(1, 9).map((nr) => keyed(nr, nr % 3 === 0 ? 'k' : undefined)));
    const runs: [position: number, attempt: number][] = [];
    let broken = [3, 6];
    made.outbox.consume('c', ({ position }, { attempt }) => {
      if (position % 3 === 0) runs.push([position, attempt]);
      if (broken.includes(position)) throw new PermanentError('never');
    });
    await reached(made, 9);
    await waitFor(() => runs.length === 3);
    await waitFor(async () => (await made.failures()).length === 2);
    broken = [];
    // The higher one was asked for first; together they come in order again.
    expect(await other.outbox.failures.retry({ consumer: 'c', state: 'dead' })).toBe(2);
    await waitFor(() => runs.length === 5);
    expect(runs).toEqual([
      [3, 1],
      [6, 1],
      [9, 1],
      [3, 1],
      [6, 1],
    ]);
    await waitFor(async () => (await made.failures()).length === 0);
  });

  it('one that is retried holds back later messages of its key until it is handled or dead', async () => {
    const made = await watchedOutbox();
    const other = await watchedOutbox({ database: made.database });
    await made.put([keyed(1, 'k')]);
    const done: number[] = [];
    const failed: number[] = [];
    let how: 'never' | 'not now' | 'well' = 'never';
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (position === 1 && how !== 'well') {
          failed.push(position);
          throw how === 'never' ? new PermanentError('never') : new Error('not now');
        }
        done.push(position);
      },
      { retry: { ...quick, maxAttempts: 1_000 } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    how = 'not now';
    await other.outbox.failures.retry({ consumer: 'c', ids: [(await other.failures())[0]!.id] });
    await waitFor(() => failed.length >= 3);
    await made.put([keyed(2, 'k'), keyed(3, 'other'), keyed(4, 'k')]);
    await reached(made, 4);
    await waitFor(() => failed.length >= 5);
    expect(done).toEqual([3]);
    how = 'well';
    await waitFor(() => done.length === 4);
    expect(done).toEqual([3, 1, 2, 4]);
  });

  it('a failure that waits is tried at once, its attempts starting anew', async () => {
    const made = await watchedOutbox();
    const other = await watchedOutbox({ database: made.database });
    await made.put([keyed(1)]);
    const attempts: number[] = [];
    made.outbox.consume(
      'c',
      (_, { attempt }) => {
        attempts.push(attempt);
        if (attempts.length < 3) throw new Error('broken');
      },
      { retry: { initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
    );
    for (const runs of [1, 2]) {
      await waitFor(async () => (await made.failures()).length === 1 && attempts.length === runs);
      await waitFor(async () => (await made.failures())[0]?.attempts === 1);
      expect(await other.outbox.failures.retry({ consumer: 'c' })).toBe(1);
    }
    await waitFor(async () => (await made.failures()).length === 0);
    expect(attempts).toEqual([1, 1, 1]);
  });

  it.each(['continue', 'block'] as const)(
    'discard of the head of a blocked key (%s) lets those behind it go on',
    async (onDeadLetter) => {
      const made = await watchedOutbox();
      const other = await watchedOutbox({ database: made.database });
      await made.put(range(1, 8).map((nr) => keyed(nr, nr % 2 === 0 ? 'even' : 'odd')));
      const done: number[] = [];
      made.outbox.consume(
        'c',
        ({ position }) => {
          if (position === 2) throw onDeadLetter === 'block' ? new PermanentError('never') : new Error('later');
          done.push(position);
        },
        { onDeadLetter, retry: { initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
      );
      await reached(made, 8);
      await waitFor(async () => (await made.failures()).length === 4);
      expect(done).toEqual([1, 3, 5, 7]);
      expect(await other.outbox.failures.discard({ consumer: 'c', positions: [2] })).toBe(1);
      await waitFor(() => done.length === 7);
      expect(done.slice(4)).toEqual([4, 6, 8]);
      await waitFor(async () => (await made.failures()).length === 0);
      await made.put([keyed(10, 'even')]);
      await waitFor(() => done.length === 8);
    },
  );

  it('discard of what is queued forgets only that', async () => {
    const made = await watchedOutbox();
    const other = await watchedOutbox({ database: made.database });
    await made.put(range(1, 5).map((nr) => keyed(nr, 'k')));
    const done: number[] = [];
    let broken = true;
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (broken) throw new Error('later');
        done.push(position);
      },
      { retry: { ...quick, maxAttempts: 1_000 } },
    );
    await waitFor(async () => (await made.failures()).length === 5);
    expect(await other.outbox.failures.discard({ consumer: 'c', positions: [3, 4] })).toBe(2);
    broken = false;
    await waitFor(() => done.length >= 3);
    await waitFor(async () => (await made.failures()).length === 0);
    await readBeside(made.outbox, 5);
    // One that was about to run already may still have been.
    expect(done.filter((position) => ![3, 4].includes(position))).toEqual([1, 2, 5]);
  });

  it('discard of everything, again and again, never stops the consumer', async () => {
    const made = await watchedOutbox();
    const other = await watchedOutbox({ database: made.database });
    const done = new Set<number>();
    let broken = true;
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (broken && position % 5 === 0) throw new Error('broken');
        done.add(position);
      },
      { concurrency: 8, retry: { ...quick, maxAttempts: 1_000 } },
    );
    let discarded = 0;
    for (const from of range(0, 20).map((round) => round * 20 + 1)) {
      await made.put(range(from, 20).map((nr) => keyed(nr, `key ${nr % 10}`)));
      discarded += await other.outbox.failures.discard({ consumer: 'c' });
      await other.outbox.failures.retry({ all: true });
    }
    await reached(made, 400);
    broken = false;
    await waitFor(async () => (await made.failures()).length === 0);
    expect(discarded).toBeGreaterThan(0);
    expect(range(1, 400).filter((nr) => nr % 5 !== 0 && !done.has(nr))).toEqual([]);
    expect(made.of('error')).toEqual([]);
    await made.put(range(401, 10).map((nr) => keyed(nr, `key ${nr % 10}`)));
    await waitFor(() => range(401, 10).every((nr) => done.has(nr)));
  });
});
