import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Delivered, OutboxMessage } from '../message.js';
import type { PublishContext, PublishResult } from '../publisher.js';
import { PermanentError, Unavailable } from '../verdict.js';
import type { PublisherCasesOptions, PublisherFixture, ReceivedMessage } from './publisher-fixture.js';

/** One promise of a publisher, for any test runner: `for (const { name, run } of cases) it(name, run)`. */
export interface PublisherCase {
  readonly name: string;
  /** Rejects with an AssertionError when the promise is broken. Opens a fixture of its own and closes it. */
  run(): Promise<void>;
}

interface Kit<M extends OutboxMessage> {
  readonly fixture: PublisherFixture<M>;
  /** The n-th message; n is its position. */
  readonly make: (n: number, changes?: Partial<Delivered<OutboxMessage>>) => Delivered<M>;
  readonly options: Required<PublisherCasesOptions>;
}
type Check = <M extends OutboxMessage>(kit: Kit<M>) => Promise<void>;

/** How long a destination stays away, in milliseconds, where the publish does not end before. */
const longestDownMs = 10_000;
const created = Date.parse('2026-01-02T03:04:05.678Z');

/**
 * What a relay relies on in every publisher, as cases for a test runner; each against a destination of its own. Cases
 * whose means a fixture does not have (`refused`; `down` and `up`; `clientWorks`) are passed over by themselves.
 */
export function publisherCases<M extends OutboxMessage>(
  open: () => Promise<PublisherFixture<M>>,
  given: PublisherCasesOptions = {},
): readonly PublisherCase[] {
  const options = { sample: defaultSample, recoveryMs: 60_000, ordered: true, ...given };
  const make = (n: number, changes: Partial<Delivered<OutboxMessage>> = {}): Delivered<M> =>
    ({
      ...options.sample(n),
      id: `id-${n}`,
      position: n,
      created: new Date(created + n),
      headers: {},
      ...changes,
    }) as unknown as Delivered<M>;
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: async () => {
      const fixture = await open();
      try {
        await check({ fixture, make, options });
      } finally {
        await fixture.close();
      }
    },
  }));
}

function defaultSample(n: number) {
  return { type: 'conformance', data: { number: n, text: `message ${n}` } };
}

const checks: Readonly<Record<string, Check>> = {
  'a batch is stored when publish resolves, each message once and whole': async ({ fixture, make }) => {
    const batch = [
      make(1, { key: 'a', headers: { origin: 'test', empty: '' } }),
      make(2, { key: 'b' }),
      make(3),
      make(4, { key: 'a', id: 'an id of the caller/ä€😀' }),
    ];
    assertAllDone(await publish(fixture, batch));
    const received = await fixture.received();
    assert.equal(received.length, batch.length, 'as many messages as were published');
    for (const message of batch) assertSame(received, message);
  },

  'the order of each key is kept within a batch and between batches': async ({ fixture, make, options }) => {
    const batches = [range(1, 60), range(61, 120)].map((numbers) =>
      numbers.map((n) => make(n, n % 7 === 0 ? {} : { key: `key ${n % 5}` })),
    );
    for (const batch of batches) assertAllDone(await publish(fixture, batch));
    const received = await fixture.received();
    assert.equal(received.length, 120, 'as many messages as were published');
    assertFirstInOrder(received, batches.flat(), options.ordered);
  },

  'one key alone is in order too': async ({ fixture, make, options }) => {
    const batch = range(1, 40).map((n) => make(n, { key: 'the same' }));
    assertAllDone(await publish(fixture, batch));
    assertFirstInOrder(await fixture.received(), batch, options.ordered);
  },

  'an empty batch publishes nothing': async ({ fixture }) => {
    assertAllDone(await publish(fixture, []));
    assert.deepEqual(await fixture.received(), []);
  },

  'two messages with the same id are both done': async ({ fixture, make }) => {
    // A destination may take the second for a repeat of the first and drop it: that is what ids are for.
    assertAllDone(await publish(fixture, [make(1, { id: 'same' }), make(2, { id: 'same' })]));
    assert.ok((await fixture.received()).length >= 1, 'at least one of them is stored');
  },

  'a header without a value does not harm the batch': async ({ fixture, make }) => {
    const headers = { given: 'yes', missing: undefined } as unknown as Record<string, string>;
    const batch = [make(1, { headers }), make(2)];
    assertAllDone(await publish(fixture, batch));
    assert.equal((await fixture.received()).length, 2);
  },

  'a message that the destination refuses is its own failure, at once permanent, and the others go on': async ({
    fixture,
    make,
  }) => {
    if (fixture.refused === undefined) return;
    const bad = make(3, { key: 'a', ...fixture.refused });
    const others = [make(1, { key: 'a' }), make(2, { key: 'b' }), make(4, { key: 'b' }), make(5)];
    const batch = [others[0], others[1], bad, others[2], others[3]] as Delivered<OutboxMessage>[];
    const failed = await failures(fixture, batch);
    assert.deepEqual([...failed.keys()], [3], 'the refused message alone has failed');
    assert.ok(failed.get(3) instanceof PermanentError, `its error is a PermanentError: got ${String(failed.get(3))}`);
    assertFirstInOrder(await fixture.received(), others, true);
  },

  'later messages of a refused one are not stored before it': async ({ fixture, make }) => {
    if (fixture.refused === undefined) return;
    const bad = make(2, { key: 'a', ...fixture.refused });
    const batch = [make(1, { key: 'a' }), bad, make(3, { key: 'a' }), make(4, { key: 'b' })];
    await failures(fixture, batch);
    const ids = (await fixture.received()).map(({ id }) => id).sort();
    assert.deepEqual(ids, ['id-1', 'id-4'], 'the third message waits for the second');
  },

  'a destination that is down is no failure of any message, and is found again': async ({ fixture, make, options }) => {
    if (fixture.down === undefined || fixture.up === undefined) return;
    const batch = range(1, 20).map((n) => make(n, { key: `key ${n % 3}` }));
    assertAllDone(await publish(fixture, batch.slice(0, 3)));
    await fixture.down();
    const rest = batch.slice(3);
    const attempt = publish(fixture, rest).catch(() => ({ failed: rest.map(waiting) }));
    // Some clients wait by themselves for as long as it takes.
    await Promise.race([attempt, delay(longestDownMs, undefined, { ref: false })]);
    await fixture.up();
    const result = await attempt;
    assert.deepEqual(
      result.failed.filter(({ error }) => !(error instanceof Unavailable)).map(({ error }) => String(error)),
      [],
      'no message is said to have failed by itself',
    );
    await publishUntilDone(fixture, notDone(rest, result), options.recoveryMs);
    assertFirstInOrder(await fixture.received(), batch, options.ordered);
  },

  'nothing is published once the signal has aborted': async ({ fixture, make }) => {
    const over = AbortSignal.abort(new Error('the lease was lost'));
    await fixture.publisher.publish([make(1)], { ...context(), signal: over }).catch(() => undefined);
    assert.deepEqual(await fixture.received(), []);
  },

  'the client stays open': async ({ fixture, make }) => {
    assertAllDone(await publish(fixture, [make(1)]));
    if (fixture.clientWorks !== undefined) assert.ok(await fixture.clientWorks(), 'the client still works');
  },
};

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function context(): PublishContext {
  return { signal: new AbortController().signal, consumer: 'conformance', epoch: 1 };
}

async function publish<M extends OutboxMessage>(
  { publisher }: PublisherFixture<M>,
  batch: readonly Delivered<M>[],
): Promise<PublishResult> {
  return (await publisher.publish(batch, context())) ?? { failed: [] };
}

async function failures<M extends OutboxMessage>(
  fixture: PublisherFixture<M>,
  batch: readonly Delivered<OutboxMessage>[],
): Promise<Map<number, unknown>> {
  const { failed } = await publish(fixture, batch as unknown as readonly Delivered<M>[]);
  return new Map(failed.map(({ position, error }) => [position, error]));
}

/** As the relay does: what was not acknowledged is sent again, in its order. */
async function publishUntilDone<M extends OutboxMessage>(
  fixture: PublisherFixture<M>,
  batch: readonly Delivered<M>[],
  withinMs: number,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  let rest = batch;
  while (rest.length > 0) {
    assert.ok(performance.now() < deadline, `everything is published within ${withinMs} ms`);
    const result = await publish(fixture, rest).catch(() => undefined);
    rest = result === undefined ? rest : notDone(rest, result);
    if (rest.length > 0) await delay(100);
  }
}

/** The failed ones, and what is behind a failed one in its key. */
function notDone<M extends OutboxMessage>(
  batch: readonly Delivered<M>[],
  { failed }: PublishResult,
): readonly Delivered<M>[] {
  const positions = new Set(failed.map(({ position }) => position));
  const heldKeys = new Set<string>();
  return batch.filter(({ position, key }) => {
    const held = key !== undefined && heldKeys.has(key);
    if (positions.has(position) && key !== undefined) heldKeys.add(key);
    return held || positions.has(position);
  });
}

function waiting({ position }: { readonly position: number }): { position: number; error: Unavailable } {
  return { position, error: new Unavailable() };
}

function assertAllDone({ failed }: PublishResult): void {
  assert.deepEqual(
    failed.map(({ position, error }) => `${position}: ${String(error)}`),
    [],
    'nothing has failed',
  );
}

function assertSame(received: readonly ReceivedMessage[], message: Delivered<OutboxMessage>): void {
  const found = received.find(({ id }) => id === message.id);
  assert.ok(found, `the message ${message.id} is there`);
  assert.deepEqual(found.data, message.data);
  for (const field of ['type', 'position', 'key'] as const)
    if (found[field] !== undefined) assert.equal(found[field], message[field], `its ${field}`);
  for (const [name, value] of Object.entries(message.headers))
    if (found.headers !== undefined) assert.equal(found.headers[name], value, `its header ${name}`);
}

/** Everything is there; of each key, the messages came for the first time in the order of their positions. */
function assertFirstInOrder(
  received: readonly ReceivedMessage[],
  expected: readonly Delivered<OutboxMessage>[],
  ordered: boolean,
): void {
  const firsts = [...new Set(received.map(({ id }) => id))];
  assert.deepEqual([...firsts].sort(), expected.map(({ id }) => id).sort(), 'every message is there');
  if (!ordered) return;
  for (const key of new Set(expected.map((each) => each.key))) {
    if (key === undefined) continue;
    const ofKey = expected.filter((each) => each.key === key).map(({ id }) => id);
    assert.deepEqual(
      firsts.filter((id) => ofKey.includes(id)),
      ofKey,
      `the order of ${key}`,
    );
  }
}
