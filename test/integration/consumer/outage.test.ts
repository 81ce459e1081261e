import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { PermanentError, Unavailable, type Consumer, type Delivered } from '../../../src/index.js';
import { waitFor, type TestMessage } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';

/** A destination that is up or down, and what it took. */
class Destination {
  up = true;
  /** Positions it must refuse whatever its state, with the batch they come in. */
  readonly poison = new Set<number>();
  readonly taken: { position: number; key: string | undefined }[] = [];
  /** Requests while it was down. */
  readonly refused: { at: number; positions: number[] }[] = [];
  readonly attempts = new Set<number>();
  running = 0;
  most = 0;

  take(messages: readonly Delivered<TestMessage>[], error: () => Error): void {
    if (!this.up) this.refused.push({ at: performance.now(), positions: messages.map(({ position }) => position) });
    if (!this.up || messages.some(({ position }) => this.poison.has(position))) throw error();
    for (const { position, key } of messages) this.taken.push({ position, key });
  }

  get positions(): number[] {
    return this.taken.map(({ position }) => position);
  }
}

/** Ways in which a destination that is down shows. */
const ways: [
  way: string,
  start: (made: WatchedOutbox, to: Destination, retry?: object, concurrency?: number) => Consumer,
][] = [
  [
    'a handler that throws ordinary errors',
    ({ outbox }, to, retry = {}, concurrency = 1) =>
      outbox.consume(
        'c',
        async (message, { attempt }) => {
          to.attempts.add(attempt);
          to.most = Math.max(to.most, (to.running += 1));
          await after(1);
          to.running -= 1;
          to.take([message], () => new Error('ECONNREFUSED'));
        },
        { concurrency, retry: { ...quick, ...retry } },
      ),
  ],
  [
    'a handler that throws Unavailable',
    ({ outbox }, to, retry = {}, concurrency = 1) =>
      outbox.consume(
        'c',
        (message, { attempt }) => {
          to.attempts.add(attempt);
          to.take([message], () => new Unavailable('down for now'));
        },
        { concurrency, retry: { ...quick, ...retry } },
      ),
  ],
  [
    'a publisher that rejects',
    ({ outbox }, to, retry = {}) =>
      outbox.relay(
        'c',
        {
          publish: async (messages) => {
            to.most = Math.max(to.most, (to.running += 1));
            await after(1);
            to.running -= 1;
            to.take(messages, () => new Error('ECONNREFUSED'));
          },
        },
        { retry: { ...quick, ...retry } },
      ),
  ],
  [
    'a publisher that rejects with Unavailable',
    ({ outbox }, to, retry = {}) =>
      outbox.relay(
        'c',
        { publish: (messages) => Promise.resolve(to.take(messages, () => new Unavailable('down for now'))) },
        { retry: { ...quick, ...retry } },
      ),
  ],
];

function expectKeyOrder(taken: Destination['taken']): void {
  const last = new Map<string, number>();
  for (const { position, key } of taken) {
    if (key === undefined) continue;
    expect(position, `${key} after ${last.get(key)}`).toBeGreaterThan(last.get(key) ?? 0);
    last.set(key, position);
  }
}

describe.each(ways)('%s', (_way, start) => {
  it('for everything makes no message a failure, holds the checkpoint and spends no attempt, and all goes on after', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    const consumer = start(made, to, { maxAttempts: 2, initialDelayMs: 30, maxDelayMs: 120 }, 4);
    const before = range(1, 100);
    await made.put(before.map((nr) => keyed(nr, nr % 3 === 0 ? undefined : `key ${nr % 17}`)));
    await reached(made, before.length);
    to.up = false;
    let total = before.length;
    const failures: number[] = [];
    const positions = new Set<number>();
    // Some hundred messages a second, for some seconds.
    for (const end = performance.now() + 4_000; performance.now() < end;) {
      await made.put(range(total + 1, 25).map((nr) => keyed(nr, nr % 3 === 0 ? undefined : `key ${nr % 17}`)));
      total += 25;
      failures.push((await made.failures()).length);
      positions.add((await made.checkpoint()).position);
      await after(40);
    }
    await waitFor(async () => (await made.info()).state === 'backing-off');
    expect(Math.max(...failures)).toBe(0);
    expect([...positions]).toEqual([before.length]);
    const refusedThen = to.refused.length;
    expect(made.of('consumer:outage').map(({ state }) => state)).toEqual(['down']);
    expect(made.of('consumer:outage')[0]!.error).toBeInstanceOf(Error);
    expect((await made.info()).lastError?.message).toMatch(/ECONNREFUSED|down for now/);
    to.up = true;
    const upAt = performance.now();
    await waitFor(() => to.taken.length > before.length);
    // The longest delay of a probe is 120 ms.
    expect(performance.now() - upAt).toBeLessThan(1_500);
    await waitFor(async () => (await made.checkpoint()).position === total, 20_000);
    expect(to.positions).toHaveLength(total);
    expect(new Set(to.positions).size).toBe(total);
    expectKeyOrder(to.taken);
    expect([...to.attempts].filter((attempt) => attempt !== 1)).toEqual([]);
    expect(await made.failures()).toEqual([]);
    expect(made.of('consumer:outage').map(({ state }) => state)).toEqual(['down', 'up']);
    // One probe at a time: hardly more than a message's worth for each delay.
    expect(refusedThen).toBeLessThan(150);
    await consumer.close();
  }, 60_000);

  it('is probed one at a time, the lowest position first, after growing delays', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    to.up = false;
    await made.put(range(1, 40).map((nr) => keyed(nr, `key ${nr}`)));
    start(made, to, { initialDelayMs: 40, factor: 2, maxDelayMs: 320 }, 8);
    await waitFor(() => made.of('consumer:outage').length === 1);
    await waitFor(() => to.running === 0);
    const inDown = to.refused.length;
    to.most = 0;
    const firsts = () =>
      to.refused.slice(inDown).filter(({ positions }) => positions[0] === 1 && positions.length === 1);
    await waitFor(() => firsts().length >= 7);
    // A relay has met the lowest before, when it halved its batch.
    const rounds = to.refused.slice(inDown).findIndex(({ positions }) => positions[0] === 1);
    expect(rounds).toBeLessThanOrEqual(1);
    const probes = to.refused.slice(inDown + rounds);
    expect(probes.every(({ positions }) => positions.length === 1)).toBe(true);
    expect(to.most).toBeLessThanOrEqual(1);
    // The lowest, then one of another key, and a pause after the two.
    expect(new Set(probes.filter((_, index) => index % 2 === 0).map(({ positions }) => positions[0]))).toEqual(
      new Set([1]),
    );
    const at = firsts().map((probe) => probe.at);
    const gaps = at.slice(1).map((time, index) => time - at[index]!);
    gaps.slice(0, 6).forEach((gap, index) => {
      const least = Math.min(320, 40 * 2 ** Math.min(index, 9));
      expect(gap, `gap ${index} of ${gaps.join(' ')}`).toBeGreaterThanOrEqual(least - 2);
    });
    expect(await made.failures()).toEqual([]);
    to.up = true;
    await reached(made, 40);
    expect([...to.positions].sort((a, b) => a - b)).toEqual(range(1, 40));
  });

  it('does not stand in the way of a close, and the next owner goes on where it was', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    to.up = false;
    await made.put(range(1, 40).map((nr) => keyed(nr, `key ${nr % 8}`)));
    const consumer = start(made, to, { maxAttempts: 2 }, 4);
    await waitFor(() => made.of('consumer:outage').length === 1);
    await waitFor(() => to.refused.length > 12);
    const before = performance.now();
    await consumer.close();
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(await made.checkpoint()).toMatchObject({ position: 0, begun: null, handled: [] });
    const other = await watchedOutbox({ database: made.database });
    start(other, to, { maxAttempts: 2 }, 4);
    await waitFor(() => other.of('consumer:outage').length === 1);
    to.up = true;
    await reached(made, 40);
    expect(await made.failures()).toEqual([]);
    expectKeyOrder(to.taken);
    expect(to.positions).toHaveLength(40);
    expect([...to.attempts].filter((attempt) => attempt !== 1)).toEqual([]);
  });
});

it.each(['key', 'strict'] as const)(
  'one Unavailable is enough (%s): its message spends no attempt, also when there is no other',
  async (order) => {
    const made = await watchedOutbox();
    await made.put([keyed(1, 'k')]);
    const attempts: number[] = [];
    let up = false;
    made.outbox.consume(
      'c',
      (_, { attempt }) => {
        attempts.push(attempt);
        if (!up) throw new Unavailable();
      },
      { order, retry: { ...quick, maxAttempts: 1 } },
    );
    await waitFor(() => attempts.length >= 6);
    await waitFor(async () => (await made.info()).state === 'backing-off');
    expect(await made.failures()).toEqual([]);
    expect((await made.checkpoint()).position).toBe(0);
    up = true;
    await reached(made, 1);
    expect(new Set(attempts)).toEqual(new Set([1]));
    expect(made.of('consumer:outage').map(({ state }) => state)).toEqual(['down', 'up']);
  },
);

it('a relay whose publisher says that the destination is down does not look for a message to blame', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 40).map((nr) => keyed(nr, `key ${nr}`)));
  const to = new Destination();
  to.up = false;
  made.outbox.relay(
    'c',
    { publish: async (messages) => to.take(messages, () => new Unavailable('down for now')) },
    { retry: { ...quick, initialDelayMs: 20 } },
  );
  await waitFor(() => to.refused.length > 6);
  const [first, ...probes] = to.refused.map(({ positions }) => positions.length);
  expect(first).toBeGreaterThan(1);
  expect(probes).toEqual(probes.map(() => 1));
  to.up = true;
  await reached(made, 40);
  expect(to.positions.sort((a, b) => a - b)).toEqual(range(1, 40));
});

it('strictly, a relay that rejects holds everything, and goes on in order', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 20).map((nr) => keyed(nr, `key ${nr}`)));
  const to = new Destination();
  to.up = false;
  const relay = made.outbox.relay(
    'c',
    { publish: async (messages) => to.take(messages, () => new Error('ECONNREFUSED')) },
    { order: 'strict', retry: { ...quick, maxAttempts: 2 } },
  );
  await waitFor(() => to.refused.length > 8);
  expect(await made.failures()).toEqual([]);
  expect((await made.checkpoint()).position).toBe(0);
  to.up = true;
  await reached(made, 20);
  expect(to.positions).toEqual(range(1, 20));
  await relay.close();
});

describe('what had failed by itself before', () => {
  it('spends no attempt while the destination is down', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    const attempts: number[] = [];
    await made.put(range(1, 10).map((nr) => keyed(nr, `key ${nr}`)));
    made.outbox.consume(
      'c',
      (message, { attempt }) => {
        if (message.position === 3) attempts.push(attempt);
        if (message.position === 3 && to.up) throw new Error('by itself');
        to.take([message], () => new Unavailable());
      },
      { retry: { ...quick, initialDelayMs: 100, maxDelayMs: 100, maxAttempts: 1_000 } },
    );
    await waitFor(() => attempts.length >= 2);
    to.up = false;
    await made.put(range(11, 20).map((nr) => keyed(nr, `key ${nr}`)));
    await waitFor(() => made.of('consumer:outage').length === 1);
    const [then] = await made.failures();
    const round = to.refused.length;
    await waitFor(() => to.refused.length >= round + 8);
    const [now] = await made.failures();
    // One run of it may have been under way.
    expect(now!.attempts - then!.attempts).toBeLessThanOrEqual(1);
    to.up = true;
    await reached(made, 30);
    await waitFor(() => attempts.length > now!.attempts + 1);
    expect(await made.failures()).toMatchObject([{ position: 3, state: 'retrying' }]);
  });

  it('spends attempts when nothing else is there, up to its dead letter', async () => {
    const made = await watchedOutbox();
    await made.put([keyed(1)]);
    made.outbox.consume(
      'c',
      () => {
        throw new Error('by itself');
      },
      { retry: { ...quick, maxAttempts: 8 } },
    );
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(made.of('consumer:outage')).toEqual([]);
    expect((await made.checkpoint()).position).toBe(1);
  });
});

describe('a message that is refused for its own sake', () => {
  const total = 200;

  it.each([1, 2, 57, 128, 199])(
    'at position %i of a batch is found, becomes a failure of its own, and holds up only its key',
    async (poison) => {
      const made = await watchedOutbox();
      const to = new Destination();
      to.poison.add(poison);
      const sizes: number[] = [];
      const keyOf = (nr: number) => `key ${nr % 13}`;
      await made.put(range(1, total).map((nr) => keyed(nr, keyOf(nr))));
      made.outbox.relay(
        'c',
        {
          publish: async (messages) => {
            sizes.push(messages.length);
            to.take(messages, () => new Error('a batch with something bad in it'));
          },
        },
        { retry: { ...quick, initialDelayMs: 50, maxDelayMs: 1_000, maxAttempts: 1 } },
      );
      await reached(made, total);
      const ofKey = range(1, total).filter((nr) => keyOf(nr) === keyOf(poison));
      await waitFor(async () => (await made.failures())[0]?.state === 'dead');
      await waitFor(async () => (await made.failures()).length === 1);
      expect(await made.failures()).toMatchObject([
        { position: poison, state: 'dead', attempts: 1, lastError: { message: 'a batch with something bad in it' } },
      ]);
      await waitFor(() => to.taken.length === total - 1);
      expect([...to.positions].sort((a, b) => a - b)).toEqual(range(1, total).filter((nr) => nr !== poison));
      expectKeyOrder(to.taken);
      expect(to.positions.filter((position) => ofKey.includes(position))).toEqual(ofKey.filter((nr) => nr !== poison));
      // Found by halving, and large batches again after.
      expect(sizes.length).toBeLessThan(60);
    },
  );

  it('without anything of another key to compare with is waited for: it could be an outage', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    to.poison.add(1);
    await made.put(range(1, 5).map((nr) => keyed(nr, 'k')));
    let calls = 0;
    made.outbox.relay(
      'c',
      {
        publish: async (messages) => {
          calls += 1;
          to.take(messages, () => new Error('bad'));
        },
      },
      { retry: { ...quick, maxAttempts: 1 } },
    );
    await waitFor(() => calls > 8);
    expect(await made.failures()).toEqual([]);
    await made.put([keyed(6, 'other')]);
    await waitFor(() => to.positions.includes(6));
    await waitFor(() => to.taken.length === 5);
    expect(to.positions.filter((position) => position < 6)).toEqual([2, 3, 4, 5]);
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(await made.failures()).toMatchObject([{ position: 1, attempts: 1 }]);
  });

  it('once it has failed by itself spends attempts up to its dead letter, also when nothing else is there', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    to.poison.add(2);
    await made.put(range(1, 5).map((nr) => keyed(nr, `key ${nr}`)));
    made.outbox.relay(
      'c',
      { publish: async (messages) => to.take(messages, () => new Error('bad')) },
      { retry: { ...quick, maxAttempts: 3 } },
    );
    await waitFor(() => to.taken.length === 4);
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(await made.failures()).toMatchObject([{ position: 2, attempts: 3 }]);
  });

  it.each([
    ['a relay', 2],
    ['a relay', 5],
    ['a handler with Unavailable', 2],
    ['a handler with ordinary errors', 7],
  ])('%s: %i of them, of different keys, one after another, do not hold the rest for ever', async (how, count) => {
    const made = await watchedOutbox();
    const to = new Destination();
    for (const position of range(3, count)) to.poison.add(position);
    await made.put(range(1, 40).map((nr) => keyed(nr, `key ${nr}`)));
    const retry = { ...quick, maxAttempts: 1 };
    if (how === 'a relay')
      made.outbox.relay('c', { publish: async (messages) => to.take(messages, () => new Error('bad')) }, { retry });
    else
      made.outbox.consume(
        'c',
        (message) => to.take([message], () => (how.endsWith('Unavailable') ? new Unavailable() : new Error('bad'))),
        { retry },
      );
    await waitFor(() => to.taken.length === 40 - count);
    await waitFor(async () => (await made.failures()).filter(({ state }) => state === 'dead').length === count);
    expect((await made.failures()).map(({ position }) => position)).toEqual(range(3, count));
  });

  it('a handler that always throws Unavailable for one message, and nothing for others, makes that one a failure', async () => {
    const made = await watchedOutbox();
    const to = new Destination();
    to.poison.add(5);
    await made.put(range(1, 30).map((nr) => keyed(nr, `key ${nr % 6}`)));
    made.outbox.consume('c', (message) => to.take([message], () => new Unavailable('so it says')), {
      retry: { ...quick, maxAttempts: 1 },
    });
    await reached(made, 30);
    await waitFor(() => to.taken.length === 29);
    await waitFor(async () => (await made.failures())[0]?.state === 'dead');
    expect(await made.failures()).toMatchObject([{ position: 5 }]);
    expectKeyOrder(to.taken);
  });
});

it('single failures beside successes are no outage', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 300).map((nr) => keyed(nr, `key ${nr}`)));
  const done: number[] = [];
  made.outbox.consume(
    'c',
    ({ position }) => {
      if (position % 3 === 0) throw position % 2 === 0 ? new Error('bad') : new PermanentError('bad');
      done.push(position);
    },
    { concurrency: 4, retry: { ...quick, maxAttempts: 2 } },
  );
  await reached(made, 300);
  await waitFor(async () => (await made.failures()).filter(({ state }) => state === 'dead').length === 100);
  expect(done).toHaveLength(200);
  expect(made.of('consumer:outage')).toEqual([]);
  await readBeside(made.outbox, 300);
});
