import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import type { Delivered } from '../../../src/index.js';
import { waitFor, type TestMessage } from '../../support/create-outbox.js';
import { gate } from '../../support/gate.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox } from '../../support/watched-outbox.js';

const numberOf = (message: Delivered<TestMessage>) => message.data.ordernr;

it('messages of a key are handled one after another in log order, while others run beside them', async () => {
  const made = await watchedOutbox();
  const keys = 12;
  await made.put(range(1, 600).map((nr) => keyed(nr, `key ${(nr * 7) % keys}`)));
  const handled = new Map<string, number[]>();
  const inFlight = new Set<string>();
  const overlaps: string[] = [];
  let most = 0;
  made.outbox.consume(
    'c',
    async ({ key = '', position }) => {
      if (inFlight.has(key)) overlaps.push(key);
      inFlight.add(key);
      most = Math.max(most, inFlight.size);
      await after(position % 4);
      inFlight.delete(key);
      handled.set(key, [...(handled.get(key) ?? []), position]);
    },
    { concurrency: 16 },
  );
  await reached(made, 600);
  expect(overlaps).toEqual([]);
  expect([...handled.values()].flat().sort((a, b) => a - b)).toEqual(range(1, 600));
  for (const positions of handled.values()) expect(positions).toEqual([...positions].sort((a, b) => a - b));
  expect(most).toBe(keys);
});

it('at most `concurrency` handlers run at the same time, and as many where there is enough to do', async () => {
  const made = await watchedOutbox();
  await made.put(range(1, 200).map((nr) => keyed(nr)));
  let running = 0;
  let most = 0;
  made.outbox.consume(
    'c',
    async () => {
      most = Math.max(most, (running += 1));
      await after(2);
      running -= 1;
    },
    { concurrency: 16 },
  );
  await reached(made, 200);
  expect(most).toBe(16);
});

describe.each([1, 16])('with concurrency %i, a message that fails', (concurrency) => {
  it('is parked, later ones of its key come after it in order, everything else flows on', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 90).map((nr) => keyed(nr, ['a', 'b', 'c'][nr % 3] ?? '')));
    const failing = 3;
    let broken = true;
    const done: number[] = [];
    const attempts: number[] = [];
    made.outbox.consume(
      'c',
      (message, { attempt }) => {
        if (numberOf(message) === failing) attempts.push(attempt);
        if (broken && numberOf(message) === failing) throw new Error('broken');
        done.push(numberOf(message));
      },
      { concurrency, retry: { ...quick, maxAttempts: 1_000 } },
    );
    // The checkpoint goes to the end: what is parked lives in failures.
    await reached(made, 90);
    expect(done.filter((nr) => nr % 3 === 0)).toEqual([]);
    expect(done.filter((nr) => nr % 3 === 1)).toEqual(range(0, 30).map((i) => 1 + 3 * i));
    expect(done.filter((nr) => nr % 3 === 2)).toEqual(range(0, 30).map((i) => 2 + 3 * i));
    const ofKey = range(1, 30).map((i) => 3 * i);
    expect((await made.failures()).map(({ position, state }) => [position, state])).toEqual(
      ofKey.map((nr) => [nr, nr === failing ? 'retrying' : 'queued']),
    );
    // What comes later joins them.
    await made.put([keyed(91, 'b'), keyed(92, 'a'), keyed(93, 'b')]);
    await reached(made, 93);
    await waitFor(async () => (await made.failures()).length === 31);
    await waitFor(() => attempts.length >= 3);
    expect(done.includes(92)).toBe(false);
    broken = false;
    await waitFor(() => done.includes(92));
    expect(done.filter((nr) => ofKey.includes(nr) || nr === 92)).toEqual([...ofKey, 92]);
    await waitFor(async () => (await made.failures()).length === 0);
    // The key is free again: straight from the log.
    await made.put([keyed(94, 'a')]);
    await waitFor(() => done.at(-1) === 94);
    expect(done).toHaveLength(94);
    expect(attempts).toEqual(range(1, attempts.length));
    expect(await made.failures()).toEqual([]);
  });

  it('without a key holds back nothing', async () => {
    const made = await watchedOutbox();
    await made.put(range(1, 60).map((nr) => keyed(nr)));
    let broken = true;
    const done: number[] = [];
    made.outbox.consume(
      'c',
      (message) => {
        if (broken && numberOf(message) % 20 === 0) throw new Error('broken');
        done.push(numberOf(message));
      },
      { concurrency, retry: { ...quick, maxAttempts: 1_000 } },
    );
    await reached(made, 60);
    const failing = [20, 40, 60];
    expect([...done].sort((a, b) => a - b)).toEqual(range(1, 60).filter((nr) => nr % 20 !== 0));
    await waitFor(async () => (await made.failures()).length === 3);
    expect((await made.failures()).map(({ position, state }) => [position, state])).toEqual(
      failing.map((nr) => [nr, 'retrying']),
    );
    broken = false;
    await waitFor(async () => (await made.failures()).length === 0);
    expect([...done].sort((a, b) => a - b)).toEqual(range(1, 60));
  });
});

it('one hot key that fails, with thousands of messages, does not slow the others down', async () => {
  const made = await watchedOutbox();
  const hot = 3_000;
  const isHot = (nr: number) => nr % 10 !== 0;
  const total = Math.ceil((hot * 10) / 9);
  const numbers = range(1, total);
  await made.put(numbers.map((nr) => keyed(nr, isHot(nr) ? 'hot' : `cold ${nr % 7}`)));
  let broken = true;
  const done: number[] = [];
  let failed = 0;
  made.outbox.consume(
    'c',
    (message) => {
      if (broken && message.key === 'hot') {
        failed += 1;
        throw new Error('broken');
      }
      done.push(numberOf(message));
    },
    { concurrency: 16, retry: { ...quick, initialDelayMs: 200, maxDelayMs: 200, maxAttempts: 1_000 } },
  );
  await waitFor(async () => (await made.checkpoint()).position === total, 20_000);
  expect([...done].sort((a, b) => a - b)).toEqual(numbers.filter((nr) => !isHot(nr)));
  const { retrying, dead, state, position } = await made.info();
  expect([retrying, dead, state, position]).toEqual([numbers.filter(isHot).length, 0, 'running', total]);
  // Only the first of them is ever tried.
  expect(failed).toBeLessThan(100);
  broken = false;
  await waitFor(() => done.length === total, 20_000);
  expect(done.filter(isHot)).toEqual(numbers.filter(isHot));
  await waitFor(async () => (await made.failures()).length === 0);
}, 60_000);

describe('the window', () => {
  it.each([
    ['consume', 1],
    ['consume', 16],
    ['relay', 1],
  ] as const)(
    'of a %s with concurrency %i: never more than batchSize above the checkpoint',
    async (kind, concurrency) => {
      const made = await watchedOutbox();
      const batchSize = 7;
      const held = gate();
      // The first is slow, with a key of its own: all others could go on.
      await made.put(range(1, 60).map((nr) => keyed(nr, nr === 1 ? 'slow' : `key ${nr % 5}`)));
      const begun: number[] = [];
      if (kind === 'consume')
        made.outbox.consume(
          'c',
          async ({ position }) => {
            begun.push(position);
            if (position === 1) await held.opened;
          },
          { batchSize, concurrency },
        );
      else
        made.outbox.relay(
          'c',
          {
            publish: async (messages) => {
              begun.push(...messages.map(({ position }) => position));
              if (messages.some(({ position }) => position === 1)) await held.opened;
            },
          },
          { batchSize },
        );
      await waitFor(() => begun.length >= (kind === 'consume' && concurrency === 1 ? 1 : batchSize));
      await readBeside(made.outbox, 60);
      expect((await made.checkpoint()).position).toBe(0);
      expect([...begun].sort((a, b) => a - b)).toEqual(range(1, begun.length));
      expect(begun.length).toBeLessThanOrEqual(batchSize);
      held.open();
      await reached(made, 60);
      expect([...begun].sort((a, b) => a - b)).toEqual(range(1, 60));
    },
  );

  it('holds at every moment, as messages are handled, failing and passed', async () => {
    const made = await watchedOutbox();
    const batchSize = 10;
    const total = 300;
    await made.put(range(1, total).map((nr) => keyed(nr, nr % 3 === 0 ? undefined : `key ${nr % 11}`)));
    const begun = new Set<number>();
    const above: number[] = [];
    made.outbox.consume(
      'c',
      async ({ position }, { attempt }) => {
        begun.add(position);
        const known = [...begun];
        // Nothing moves the checkpoint past this message until it is handled.
        const stored = await made.checkpoint();
        above.push(known.filter((each) => each > stored.position).length);
        if (position % 25 === 0 && attempt === 1) throw new Error('broken');
      },
      { batchSize, concurrency: 16, retry: { ...quick, maxAttempts: 5 } },
    );
    await reached(made, total);
    await waitFor(async () => (await made.failures()).length === 0);
    expect(Math.max(...above)).toBeLessThanOrEqual(batchSize);
    expect(Math.max(...above)).toBeGreaterThan(1);
    expect(begun.size).toBe(total);
  });
});
