import { describe, expect, it } from 'vitest';

import { OutboxError, PermanentError, RetryAfter, type HandlerContext } from '../../../src/index.js';
import { waitFor } from '../../support/create-outbox.js';
import { gate } from '../../support/gate.js';
import { order, range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';

/** Per attempt that has failed: the delay before the next one, as the failure has it. */
async function delaysUntilDead(made: WatchedOutbox): Promise<Map<number, number>> {
  const delays = new Map<number, number>();
  await waitFor(async () => {
    const [failure] = await made.failures();
    if (failure === undefined) return false;
    const { attempts, nextAttemptAt, lastFailedAt } = failure;
    if (nextAttemptAt !== null) delays.set(attempts, nextAttemptAt.getTime() - lastFailedAt.getTime());
    return failure.state === 'dead';
  });
  return delays;
}

describe('attempts', () => {
  it('count from 1, after delays that grow up to the longest, until maxAttempts: then it is a dead letter', async () => {
    const made = await watchedOutbox();
    await made.put([order(1)]);
    const attempts: number[] = [];
    const startedAt: number[] = [];
    made.outbox.consume(
      'c',
      (_, { attempt }) => {
        attempts.push(attempt);
        startedAt.push(Date.now());
        throw new Error(`attempt ${attempt}`);
      },
      { retry: { maxAttempts: 5, initialDelayMs: 60, factor: 3, maxDelayMs: 400, jitter: 0 } },
    );
    expect([...(await delaysUntilDead(made))]).toEqual([
      [1, 60],
      [2, 180],
      [3, 400],
      [4, 400],
    ]);
    expect(attempts).toEqual(range(1, 5));
    const planned = [...made.of('consumer:park'), ...made.of('consumer:retry')].map(
      ({ nextAttemptAt }) => +nextAttemptAt,
    );
    expect(planned).toHaveLength(4);
    // Never early; the clock of the server is this machine's.
    planned.forEach((at, index) => expect(startedAt[index + 1]).toBeGreaterThanOrEqual(at - 2));
  });

  it('with jitter are spread over the random part of the delay', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 40).map((nr) => order(nr)));
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (position % 2 === 1) throw new Error('broken');
      },
      { retry: { maxAttempts: 2, initialDelayMs: 60_000, jitter: 0.5 } },
    );
    await waitFor(async () => (await made.failures()).length === 20);
    const delays = (await made.failures()).map((each) => +each.nextAttemptAt! - +each.lastFailedAt);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(30_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(60_000);
    expect(new Set(delays).size).toBeGreaterThan(5);
  });

  it.each([0, 350])('RetryAfter(%i) sets the delay, and counts', async (delayMs) => {
    const made = await watchedOutbox();
    await made.put([order(1)]);
    const attempts: number[] = [];
    made.outbox.consume(
      'c',
      (_, { attempt }) => {
        attempts.push(attempt);
        throw new RetryAfter(delayMs);
      },
      { retry: { maxAttempts: 3, initialDelayMs: 60_000 } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(attempts).toEqual([1, 2, 3]);
    const [park, retry] = [...made.of('consumer:park'), ...made.of('consumer:retry')];
    for (const told of [park, retry]) expect(told?.error).toBeInstanceOf(RetryAfter);
    const [failure] = await made.failures();
    expect(+failure!.lastFailedAt - +failure!.firstFailedAt).toBeGreaterThanOrEqual(2 * delayMs);
    expect(+failure!.lastFailedAt - +failure!.firstFailedAt).toBeLessThan(2 * delayMs + 10_000);
  });

  it('a PermanentError makes a dead letter at once, and its key goes on', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 6).map((nr) => keyed(nr, nr % 2 === 0 ? 'even' : undefined)));
    const runs: number[] = [];
    made.outbox.consume('c', ({ position }) => {
      runs.push(position);
      if (position === 2) throw new PermanentError('for good');
    });
    await reached(made, 6);
    await waitFor(() => runs.length === 6);
    expect(runs.filter((position) => position % 2 === 0)).toEqual([2, 4, 6]);
    expect(await made.failures()).toMatchObject([
      {
        position: 2,
        state: 'dead',
        attempts: 1,
        nextAttemptAt: null,
        lastError: { name: 'PermanentError', message: 'for good' },
      },
    ]);
  });

  it('maxAttempts: 1 tries once', async () => {
    const made = await watchedOutbox();
    await made.put([order(1)]);
    let runs = 0;
    made.outbox.consume(
      'c',
      () => {
        runs += 1;
        throw new Error('broken');
      },
      { retry: { maxAttempts: 1 } },
    );
    await waitFor(() => made.of('consumer:dead').length === 1);
    await readBeside(made.outbox, 1);
    expect(runs).toBe(1);
    expect(await made.failures()).toMatchObject([{ state: 'dead', attempts: 1 }]);
    expect(made.of('consumer:park')).toEqual([]);
  });

  it('survive a restart', async () => {
    const made = await watchedOutbox();
    await made.put([order(1)]);
    const attempts: number[] = [];
    const handle = (_: unknown, { attempt }: HandlerContext) => {
      attempts.push(attempt);
      throw new Error(`attempt ${attempt}`);
    };
    const retry = { ...quick, maxAttempts: 9 };
    for (const until of [2, 4, 6]) {
      const process = await watchedOutbox({ database: made.database });
      const consumer = process.outbox.consume('c', handle, { retry });
      await waitFor(() => attempts.length >= until);
      await consumer.close();
      await process.outbox.close();
    }
    const last = await watchedOutbox({ database: made.database });
    last.outbox.consume('c', handle, { retry });
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(attempts).toEqual(range(1, 9));
    expect(await made.failures()).toMatchObject([
      { attempts: 9, firstError: { message: 'attempt 1' }, lastError: { message: 'attempt 9' } },
    ]);
  });

  it.each([
    ['the first attempt, by key', 'key', 0],
    ['the first attempt, strictly', 'strict', 0],
    ['a later attempt, by key', 'key', 1],
    ['a later attempt, strictly', 'strict', 1],
  ] as const)('a close while a handler runs is none (%s)', async (_what, order, failsFirst) => {
    const made = await watchedOutbox({ options: { closeTimeoutMs: 50 } });
    await made.put([keyed(1)]);
    const attempts: number[] = [];
    const handle = async (_: unknown, { attempt, signal }: HandlerContext) => {
      attempts.push(attempt);
      if (attempts.length <= failsFirst) throw new Error('broken');
      if (attempts.length < failsFirst + 3)
        await new Promise((_done, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
    };
    const options = { order, retry: { ...quick, maxAttempts: failsFirst + 1 } };
    for (const until of [1, 2]) {
      const consumer = made.outbox.consume('c', handle, options);
      await waitFor(() => attempts.length === failsFirst + until);
      await consumer.close();
      expect((await made.failures()).map((failure) => failure.attempts)).toEqual(failsFirst === 0 ? [] : [failsFirst]);
    }
    made.outbox.consume('c', handle, options);
    await reached(made, 1);
    await waitFor(async () => (await made.failures()).length === 0);
    expect(attempts).toEqual(failsFirst === 0 ? [1, 1, 1] : [1, 2, 2, 2]);
  });
});

describe('a dead letter', () => {
  it.each(['continue', 'block'] as const)('with onDeadLetter "%s"', async (onDeadLetter) => {
    const made = await watchedOutbox();
    await made.put(range(1, 8).map((nr) => keyed(nr, nr % 2 === 0 ? 'even' : 'odd')));
    const done: number[] = [];
    let broken = true;
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (broken && position === 2) throw new Error('broken');
        done.push(position);
      },
      { onDeadLetter, retry: { ...quick, maxAttempts: 3 } },
    );
    await waitFor(() => made.of('consumer:dead').length === 1);
    await reached(made, 8);
    if (onDeadLetter === 'continue') {
      await waitFor(() => done.length === 7);
      await waitFor(async () => (await made.failures()).length === 1);
      expect(done.filter((position) => position % 2 === 0)).toEqual([4, 6, 8]);
      expect(await made.failures()).toMatchObject([{ position: 2, state: 'dead' }]);
      return;
    }
    await made.put([keyed(9, 'odd'), keyed(10, 'even')]);
    await reached(made, 10);
    await waitFor(async () => (await made.failures()).length === 5);
    expect(done).toEqual([1, 3, 5, 7, 9]);
    expect((await made.failures()).map(({ position, state }) => [position, state])).toEqual([
      [2, 'dead'],
      ...[4, 6, 8, 10].map((position) => [position, 'queued']),
    ]);
    broken = false;
    expect(await made.outbox.failures.retry({ consumer: 'c', state: 'dead' })).toBe(1);
    await waitFor(() => done.length === 10);
    expect(done.slice(5)).toEqual([2, 4, 6, 8, 10]);
    await waitFor(async () => (await made.failures()).length === 0);
  });
});

it('a key that a dead letter blocks stays blocked after a restart', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 4).map((nr) => keyed(nr, nr % 2 === 0 ? 'even' : 'odd')));
  const done: number[] = [];
  let broken = true;
  const handle = ({ position }: { position: number }) => {
    if (broken && position === 2) throw new PermanentError('never');
    done.push(position);
  };
  const first = made.outbox.consume('c', handle, { onDeadLetter: 'block' });
  await waitFor(async () => (await made.failures()).length === 2);
  await first.close();
  const other = await watchedOutbox({ database: made.database });
  other.outbox.consume('c', handle, { onDeadLetter: 'block' });
  await made.put(range(5, 4).map((nr) => keyed(nr, nr % 2 === 0 ? 'even' : 'odd')));
  await reached(made, 8);
  await waitFor(() => done.length === 4);
  expect(done).toEqual([1, 3, 5, 7]);
  expect((await made.failures()).map(({ position, state }) => [position, state])).toEqual([
    [2, 'dead'],
    [4, 'queued'],
    [6, 'queued'],
    [8, 'queued'],
  ]);
  broken = false;
  await made.outbox.failures.retry({ consumer: 'c', positions: [2] });
  await waitFor(() => done.length === 8);
  expect(done.slice(4)).toEqual([2, 4, 6, 8]);
});

it('a failure says all there is to say', async () => {
  const made = await watchedOutbox();
  const from = Date.now();
  await made.outbox.put(
    { type: 'order_created', data: { ordernr: 1, note: 'n' }, id: 'own id', key: 'k', headers: { h: 'v' } },
    null,
  );
  await made.put([keyed(2, 'k')]);
  let delivered: unknown;
  made.outbox.consume(
    'c',
    (message, { attempt }) => {
      delivered ??= message;
      const error = Object.assign(new Error(`attempt ${attempt}`), {
        name: 'PaymentError',
        code: attempt === 1 ? 'E1' : 7,
      });
      error.stack = [`PaymentError: attempt ${attempt}`, ...range(1, 500).map((nr) => `    at line ${nr}`)].join('\n');
      throw error;
    },
    { retry: { maxAttempts: 5, initialDelayMs: 1, maxDelayMs: 3_600_000, factor: 100, jitter: 0 } },
  );
  await waitFor(async () => (await made.failures())[0]?.attempts === 3);
  await waitFor(async () => (await made.failures()).length === 2);
  const [first, second] = await made.failures();
  expect(first).toEqual({
    id: 'own id',
    consumer: 'c',
    position: 1,
    type: 'order_created',
    key: 'k',
    state: 'retrying',
    attempts: 3,
    nextAttemptAt: new Date(+first!.lastFailedAt + 10_000),
    firstError: {
      name: 'PaymentError',
      message: 'attempt 1',
      code: 'E1',
      stack: expect.stringMatching(/^PaymentError: attempt 1\n/) as string,
    },
    lastError: {
      name: 'PaymentError',
      message: 'attempt 3',
      code: 7,
      stack: expect.stringMatching(/^PaymentError: attempt 3\n/) as string,
    },
    firstFailedAt: expect.any(Date) as Date,
    lastFailedAt: expect.any(Date) as Date,
    message: delivered,
  });
  expect(first!.lastError!.stack!.length).toBeLessThan(3_000);
  expect(+first!.firstFailedAt).toBeGreaterThanOrEqual(from - 1);
  expect(+first!.lastFailedAt).toBeGreaterThan(+first!.firstFailedAt);
  expect(+first!.lastFailedAt).toBeLessThanOrEqual(Date.now() + 1);
  expect(second).toMatchObject({
    position: 2,
    state: 'queued',
    attempts: 0,
    nextAttemptAt: null,
    firstError: null,
    lastError: null,
  });
  expect(second!.message).toMatchObject({
    type: 'order_created',
    position: 2,
    key: 'k',
    headers: {},
    data: { ordernr: 2 },
  });
}, 60_000);

const hostile = {
  get message(): string {
    throw new Error('no message for you');
  },
};
const thrown: [what: string, value: unknown, kept: { name: string; message: unknown }][] = [
  ['a string', 'just text', { name: 'Error', message: expect.stringContaining('just text') }],
  ['a number', 42, { name: 'Error', message: expect.stringContaining('42') }],
  ['undefined', undefined, { name: 'Error', message: expect.stringContaining('undefined') }],
  ['null', null, { name: 'Error', message: expect.stringContaining('null') }],
  ['a symbol', Symbol('s'), { name: 'Error', message: expect.stringContaining('Symbol(s)') }],
  ['an object', { code: 'E' }, { name: 'Object', message: expect.any(String) }],
  ['an object without a prototype', Object.create(null), { name: 'Object', message: expect.any(String) }],
  [
    'an error with an enormous code',
    Object.assign(new Error('x'), { code: 'E'.repeat(17 * 1024 * 1024) }),
    { name: 'Error', message: 'x' },
  ],
  ['an object whose message throws', hostile, { name: expect.any(String) as string, message: expect.any(String) }],
  [
    'an error with a message that is none',
    Object.assign(new Error('x'), { message: { a: 1 } }),
    { name: 'Error', message: expect.any(String) },
  ],
];

describe.each([
  [
    'throws',
    (value: unknown) => {
      throw value;
    },
  ],
  ['rejects with', (value: unknown) => Promise.reject(value as Error)],
] as const)('a handler that %s', (_how, fail) => {
  it.each(thrown)('%s has made an attempt, and is told of', async (_what, value, kept) => {
    const made = await watchedOutbox();
    await made.put([order(1), order(2)]);
    let runs = 0;
    made.outbox.consume(
      'c',
      ({ position }) => {
        if (position === 2) return;
        runs += 1;
        return fail(value);
      },
      { retry: { ...quick, maxAttempts: 2 } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(runs).toBe(2);
    expect(await made.failures()).toMatchObject([{ position: 1, attempts: 2, firstError: kept, lastError: kept }]);
    await reached(made, 2);
    expect(made.of('consumer:dead')[0]!.error).toBe(value);
  });
});

describe('a handler that does not settle', () => {
  it('has failed at handlerTimeoutMs: its signal aborts, it counts as an attempt', async () => {
    const made = await watchedOutbox();
    await made.put([order(1), order(2)]);
    const aborted: unknown[] = [];
    const attempts: number[] = [];
    made.outbox.consume(
      'c',
      ({ position }, { attempt, signal }) => {
        if (position === 2) return;
        attempts.push(attempt);
        signal.addEventListener('abort', () => aborted.push(signal.reason));
        return new Promise(() => undefined);
      },
      { handlerTimeoutMs: 60, retry: { ...quick, maxAttempts: 3 } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(attempts).toEqual([1, 2, 3]);
    expect(aborted).toHaveLength(3);
    for (const reason of aborted) {
      expect(reason).toBeInstanceOf(OutboxError);
      expect(reason).toMatchObject({ code: 'HANDLER_TIMEOUT', retryable: true });
    }
    expect(await made.failures()).toMatchObject([
      {
        position: 1,
        attempts: 3,
        lastError: {
          name: 'OutboxError',
          code: 'HANDLER_TIMEOUT',
          message: expect.stringContaining('60 ms') as string,
        },
      },
    ]);
    await reached(made, 2);
  });

  it.each(['resolves', 'rejects'] as const)('is ignored when it %s later', async (how) => {
    const made = await watchedOutbox();
    await made.put([keyed(1, 'k'), keyed(2, 'k'), keyed(3)]);
    const late = gate();
    const settled = gate();
    const runs: [number, number][] = [];
    made.outbox.consume(
      'c',
      async ({ position }, { attempt }) => {
        runs.push([position, attempt]);
        if (runs.length > 1) return;
        await late.opened;
        settled.open();
        if (how === 'rejects') throw new Error('late');
      },
      { handlerTimeoutMs: 60, retry: { initialDelayMs: 600_000, maxDelayMs: 600_000 } },
    );
    await reached(made, 3);
    await waitFor(async () => (await made.failures()).length === 2);
    late.open();
    await settled.opened;
    await readBeside(made.outbox, 3);
    expect(await made.failures()).toMatchObject([
      { position: 1, state: 'retrying', attempts: 1, lastError: { code: 'HANDLER_TIMEOUT' } },
      { position: 2, state: 'queued' },
    ]);
    await made.outbox.failures.retry({ consumer: 'c', positions: [1] });
    await waitFor(async () => (await made.failures()).length === 0);
    // Attempts start anew with failures.retry.
    expect(runs).toEqual([
      [1, 1],
      [3, 1],
      [1, 1],
      [2, 1],
    ]);
  });
});
