import { describe, expect, it } from 'vitest';

import { OutboxError, type ConsumerOptions } from '../../../src/index.js';
import { waitFor, type TestMessage } from '../../support/create-outbox.js';
import { rejection } from '../../support/payloads.js';
import { keyed, reached, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';

const ignore = () => undefined;
const publisher = { publish: async () => undefined };

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('expected it to throw');
}

/** The error names the option or the thing, and has this code. */
function expectError(error: unknown, code: string, text: string): void {
  expect(error).toBeInstanceOf(OutboxError);
  expect(error).toMatchObject({ code, retryable: false });
  expect((error as Error).message).toContain(text);
}

/** Nothing came of it: no consumer is registered, and the name is free. */
async function expectNothing(made: WatchedOutbox): Promise<void> {
  expect(await made.outbox.consumers.list()).toEqual([]);
  const consumer = made.outbox.consume('c', ignore);
  await consumer.close();
}

const kinds: [
  kind: 'consume' | 'relay' | 'drain',
  call: (made: WatchedOutbox, name: unknown, options?: unknown) => unknown,
][] = [
  ['consume', ({ outbox }, name, options) => outbox.consume(name as string, ignore, options as object)],
  ['relay', ({ outbox }, name, options) => outbox.relay(name as string, publisher, options as object)],
  ['drain', ({ outbox }, name, options) => outbox.drain(name as string, ignore, options as object)],
];

/** consume and relay throw; drain, which is asynchronous, rejects. */
async function errorOf(kind: string, call: () => unknown): Promise<unknown> {
  return kind === 'drain' ? rejection(call() as Promise<unknown>) : thrownBy(call);
}

describe.each(kinds)('%s refuses', (kind, call) => {
  it.each<[string, unknown]>([
    ['empty', ''],
    ['with a blank', 'a b'],
    ['with a $', '$c'],
    ['with a slash', 'a/b'],
    ['with a colon', 'a:b'],
    ['with a null character', 'a\0b'],
    ['too long', 'c'.repeat(101)],
    ['no string', 3],
    ['missing', undefined],
    ['null', null],
    ['an object', { $ne: 1 }],
  ])('a name that is %s', async (_what, name) => {
    const made = await watchedOutbox();
    expectError(await errorOf(kind, () => call(made, name)), 'INVALID_NAME', 'name');
    await expectNothing(made);
  });

  const common: [unknown, string, string?][] = [
    [{ concurency: 2 }, 'concurency'],
    [null, 'options'],
    ['strict', 'options'],
    [[], 'options'],
    [{ batchSize: 0 }, 'batchSize'],
    [{ batchSize: 10_001 }, 'batchSize'],
    [{ batchSize: 1.5 }, 'batchSize'],
    [{ batchSize: '10' }, 'batchSize'],
    [{ batchSize: NaN }, 'batchSize'],
    [{ order: 'keys' }, 'order'],
    [{ order: true }, 'order'],
    [{ onDeadLetter: 'stop' }, 'onDeadLetter'],
    [{ signal: {} }, 'signal'],
    [{ from: 'start' }, 'cursor', 'INVALID_CURSOR'],
    [{ from: -1 }, 'cursor', 'INVALID_CURSOR'],
    [{ from: 1.5 }, 'cursor', 'INVALID_CURSOR'],
    [{ from: new Date(NaN) }, 'cursor', 'INVALID_CURSOR'],
    [{ types: [] }, 'types'],
    [{ types: 'order_created' }, 'types'],
    [{ types: ['order_created', 'order_lost'] }, 'order_lost', 'UNKNOWN_TYPE'],
    [{ types: [3] }, '3', 'UNKNOWN_TYPE'],
    [{ retry: null }, 'retry'],
    [{ retry: 3 }, 'retry'],
    [{ retry: { attempts: 3 } }, 'retry.attempts'],
    [{ retry: { maxAttempts: 0 } }, 'retry.maxAttempts'],
    [{ retry: { maxAttempts: 1_001 } }, 'retry.maxAttempts'],
    [{ retry: { maxAttempts: Infinity } }, 'retry.maxAttempts'],
    [{ retry: { initialDelayMs: 0 } }, 'retry.initialDelayMs'],
    [{ retry: { initialDelayMs: 86_400_001 } }, 'retry.initialDelayMs'],
    [{ retry: { maxDelayMs: 604_800_001 } }, 'retry.maxDelayMs'],
    [{ retry: { initialDelayMs: 2_000, maxDelayMs: 1_000 } }, 'retry.maxDelayMs'],
    [{ retry: { maxDelayMs: 500 } }, 'retry.maxDelayMs'],
    [{ retry: { factor: 0.5 } }, 'retry.factor'],
    [{ retry: { factor: 101 } }, 'retry.factor'],
    [{ retry: { factor: '2' } }, 'retry.factor'],
    [{ retry: { jitter: -0.1 } }, 'retry.jitter'],
    [{ retry: { jitter: 1.1 } }, 'retry.jitter'],
  ];
  const ofHandlers: typeof common = [
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 1_001 }, 'concurrency'],
    [{ concurrency: 2, transactional: true }, 'concurrency'],
    [{ concurrency: 2, order: 'strict' }, 'concurrency'],
    [{ transactional: 'yes' }, 'transactional'],
    [{ handlerTimeoutMs: 0 }, 'handlerTimeoutMs'],
    [{ handlerTimeoutMs: 86_400_001 }, 'handlerTimeoutMs'],
  ];
  const notOfRelays: typeof common = [
    [{ concurrency: 1 }, 'concurrency'],
    [{ transactional: false }, 'transactional'],
    [{ handlerTimeoutMs: 1_000 }, 'handlerTimeoutMs'],
  ];
  const ofDrains: typeof common = [
    [{ maxMessages: 0 }, 'maxMessages'],
    [{ maxMessages: 1.5 }, 'maxMessages'],
    [{ deadlineMs: 0 }, 'deadlineMs'],
    [{ deadlineMs: Infinity }, 'deadlineMs'],
    [{ ifHeld: 'steal' }, 'ifHeld'],
  ];
  const notButOfDrains: typeof common = [
    [{ maxMessages: 5 }, 'maxMessages'],
    [{ deadlineMs: 5 }, 'deadlineMs'],
    [{ ifHeld: 'wait' }, 'ifHeld'],
  ];
  const all = [
    ...common,
    ...(kind === 'relay' ? notOfRelays : ofHandlers),
    ...(kind === 'drain' ? ofDrains : notButOfDrains),
  ];
  it('every option that is unknown, out of its limits or contradicts another', async () => {
    const made = await watchedOutbox();
    for (const [options, text, code = 'INVALID_OPTION'] of all)
      expectError(await errorOf(kind, () => call(made, 'c', options)), code, text);
    await expectNothing(made);
  });

  it('to run after close', async () => {
    const made = await watchedOutbox();
    await made.outbox.close();
    expectError(await errorOf(kind, () => call(made, 'c')), 'CLOSED', 'closed');
  });
});

it('options that are undefined are as good as left out', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1)]);
  const names = [
    'from',
    'types',
    'order',
    'concurrency',
    'batchSize',
    'handlerTimeoutMs',
    'transactional',
    'retry',
    'onDeadLetter',
    'signal',
  ];
  const options = Object.fromEntries(names.map((name) => [name, undefined])) as ConsumerOptions<TestMessage['type']> & {
    transactional?: false;
  };
  made.outbox.consume('c', ignore, options);
  made.outbox.consume('d', ignore, { retry: { maxAttempts: undefined, initialDelayMs: undefined } as never });
  await reached(made, 1);
  await reached(made, 1, 'd');
});

describe('a handler must be one:', () => {
  it.each<[string, unknown, string, string]>([
    ['undefined', undefined, 'INVALID_OPTION', 'handler'],
    ['null', null, 'INVALID_OPTION', 'handler'],
    ['a string', 'handle', 'INVALID_OPTION', 'handler'],
    ['an array', [ignore], 'INVALID_OPTION', 'handler'],
    [
      'a map with something that is no function',
      { order_created: 'x', order_shipped: ignore },
      'INVALID_OPTION',
      'order_created',
    ],
    [
      'a map with a type that does not exist',
      { order_created: ignore, order_shipped: ignore, order_lost: ignore },
      'UNKNOWN_TYPE',
      'order_lost',
    ],
    [
      'a map with the handler of a type undefined',
      { order_created: undefined, order_shipped: ignore },
      'INVALID_OPTION',
      'order_created',
    ],
  ])('%s is none', async (_what, handler, code, text) => {
    const made = await watchedOutbox();
    expectError(
      thrownBy(() => made.outbox.consume('c', handler as typeof ignore)),
      code,
      text,
    );
    expectError(await rejection(made.outbox.drain('c', handler as typeof ignore)), code, text);
    await expectNothing(made);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a function', ignore],
    ['an object without publish', { send: ignore }],
    ['an object whose publish is no function', { publish: true }],
  ])('%s is no publisher', async (_what, given) => {
    const made = await watchedOutbox();
    expectError(
      thrownBy(() => made.outbox.relay('c', given as typeof publisher)),
      'INVALID_OPTION',
      'publisher',
    );
    await expectNothing(made);
  });

  it('a drain with a publisher takes no options of handlers', async () => {
    const made = await watchedOutbox();
    for (const options of [{ concurrency: 1 }, { transactional: false }, { handlerTimeoutMs: 5 }])
      expectError(
        await rejection(made.outbox.drain('c', publisher, options as { transactional?: false })),
        'INVALID_OPTION',
        Object.keys(options)[0]!,
      );
  });
});

describe('the same name', () => {
  it('twice in one process is refused until the first is closed', async () => {
    const made = await watchedOutbox();
    const first = made.outbox.consume('c', ignore);
    for (const again of [() => made.outbox.consume('c', ignore), () => made.outbox.relay('c', publisher)]) {
      expectError(thrownBy(again), 'CONSUMER_RUNNING', '"c"');
      await made.put([keyed(1)]);
    }
    await reached(made, 2);
    await first.close();
    const second = made.outbox.relay('c', publisher);
    await made.put([keyed(3)]);
    await reached(made, 3);
    await second.close();
  });

  it('twice at once, with one closed at once, leaves the other alone', async () => {
    const made = await watchedOutbox();
    const first = made.outbox.consume('c', ignore);
    const closed = first.close();
    expect(first.close()).toBeInstanceOf(Promise);
    await closed;
    await first.closed;
    const second = made.outbox.consume('c', ignore);
    await made.put([keyed(1)]);
    await reached(made, 1);
    await second[Symbol.asyncDispose]();
    await second.closed;
  });

  it.each<[string, ConsumerOptions, ConsumerOptions]>([
    ['order', { order: 'key' }, { order: 'strict' }],
    ['order', { order: 'strict' }, { order: 'key' }],
    ['transactional', {}, { transactional: true }],
    ['transactional', { transactional: true }, {}],
  ])(
    'of a consumer with another %s: closed rejects with CONSUMER_MISMATCH, and nothing is changed',
    async (option, exists, called) => {
      const made = await watchedOutbox();
      await made.put([keyed(1)]);
      const first = made.outbox.consume('c', ignore, exists as { transactional: true });
      await reached(made, 1);
      await first.close();
      const before = await made.checkpoint();
      const other = await watchedOutbox({ database: made.database });
      const second = other.outbox.consume('c', ignore, called as { transactional: true });
      const error = await rejection(second.closed);
      expectError(error, 'CONSUMER_MISMATCH', option);
      expect(error.message).toContain('"c"');
      expect(other.of('error')).toMatchObject([{ part: 'consumer', consumer: 'c', error }]);
      await second.close();
      expectError(
        await rejection(other.outbox.drain('c', ignore, called as { transactional: true })),
        'CONSUMER_MISMATCH',
        option,
      );
      expect(await made.checkpoint()).toEqual(before);
      // The name is free for a call that fits.
      await made.put([keyed(2)]);
      const third = other.outbox.consume('c', ignore, exists as { transactional: true });
      await reached(made, 2);
      await third.close();
    },
  );

  it('with other options that are not fixed is fine', async () => {
    const made = await watchedOutbox();
    await made.put([keyed(1)]);
    const first = made.outbox.consume('c', ignore);
    await reached(made, 1);
    await first.close();
    await made.put([keyed(2)]);
    const second = made.outbox.relay('c', publisher, { batchSize: 3, onDeadLetter: 'block', from: 'end' });
    await reached(made, 2);
    await second.close();
  });
});

describe('a place that there is not', () => {
  it.each([
    ['a position beyond the end', 99, 'POSITION_LOST'],
    ['a Date in the future', new Date(Date.now() + 3_600_000), 'INVALID_CURSOR'],
  ])('from: %s rejects closed, and registers nothing', async (_what, from, code) => {
    const made = await watchedOutbox();
    await made.put([keyed(1)]);
    const consumer = made.outbox.consume('c', ignore, { from });
    expectError(await rejection(consumer.closed), code, '');
    expectError(await rejection(made.outbox.drain('c', ignore, { from })), code, '');
    await expectNothing(made);
  });

  it.each([
    ['a position beyond the end', 99, 'POSITION_LOST'],
    ['a Date in the future', new Date(Date.now() + 3_600_000), 'INVALID_CURSOR'],
    ['what is no cursor', 'start' as never, 'INVALID_CURSOR'],
  ])('rewind to %s is refused, and the consumer goes on', async (_what, to, code) => {
    const made = await watchedOutbox();
    await made.put([keyed(1)]);
    const done: number[] = [];
    made.outbox.consume('c', ({ position }) => void done.push(position));
    await reached(made, 1);
    expectError(await rejection(made.outbox.consumers.rewind('c', to)), code, '');
    await made.put([keyed(2)]);
    await reached(made, 2);
    expect(done).toEqual([1, 2]);
  });
});

describe('a consumer that there is not', () => {
  it.each(['pause', 'resume', 'remove', 'rewind'] as const)('%s is refused', async (what) => {
    const made = await watchedOutbox();
    const call = () =>
      what === 'rewind' ? made.outbox.consumers.rewind('nobody', 'beginning') : made.outbox.consumers[what]('nobody');
    expectError(await rejection(call()), 'UNKNOWN_CONSUMER', '"nobody"');
    expectError(await rejection(made.outbox.consumers[what]('', 'end')), 'INVALID_NAME', 'name');
    expect(await made.outbox.consumers.list()).toEqual([]);
  });
});

it('a signal that has aborted already: it never starts, and closed resolves', async () => {
  const made = await watchedOutbox();
  await made.put([keyed(1)]);
  const done: number[] = [];
  const consumer = made.outbox.consume('c', ({ position }) => void done.push(position), {
    signal: AbortSignal.abort(),
  });
  await consumer.closed;
  expect(await made.outbox.consumers.list()).toEqual([]);
  const controller = new AbortController();
  const second = made.outbox.consume('c', ({ position }) => void done.push(position), { signal: controller.signal });
  await waitFor(() => done.length === 1);
  controller.abort();
  await second.closed;
  expect(await made.checkpoint()).toMatchObject({ position: 1, begun: null });
});
