import { setTimeout as after } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { RetryAfter, Unavailable } from '../../../src/index.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, watchedOutbox } from '../../support/watched-outbox.js';

/** Numbers from 0 to below 1, the same ones for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
}

const total = 240;

it.each(
  [1, 2].flatMap((seed) => [
    [seed, 'consume' as const, 1],
    [seed, 'consume' as const, 16],
    [seed, 'relay' as const, 1],
  ]) as [number, 'consume' | 'relay', number][],
)(
  'without a crash nothing repeats, nothing is lost, and every key is in order, whatever fails (seed %i, %s, concurrency %i)',
  async (seed, kind, concurrency) => {
    const made = await watchedOutbox();
    const random = seeded(seed);
    const keyOf = range(0, total + 1).map(() => (random() < 0.2 ? undefined : `key ${Math.floor(random() * 9)}`));
    const failsLeft = range(0, total + 1).map(() => (random() < 0.15 ? 1 + Math.floor(random() * 3) : 0));
    const slow = range(0, total + 1).map(() => random() < 0.3);
    const done: number[] = [];
    const inFlight = new Set<string>();
    const overlaps: string[] = [];
    const errorOf = (position: number) =>
      [new Error('bad'), new RetryAfter(10), new Unavailable('down, it says')][position % (kind === 'relay' ? 2 : 3)];
    const options = { batchSize: 40, retry: { ...quick, maxAttempts: 100 } };
    if (kind === 'consume')
      made.outbox.consume(
        'c',
        async ({ position, key }) => {
          if (key !== undefined && inFlight.has(key)) overlaps.push(`${key} at ${position}`);
          if (key !== undefined) inFlight.add(key);
          try {
            if (slow[position] === true) await after(1);
            if (failsLeft[position]! > 0) {
              failsLeft[position]! -= 1;
              throw errorOf(position) as Error;
            }
            done.push(position);
          } finally {
            if (key !== undefined) inFlight.delete(key);
          }
        },
        { ...options, concurrency },
      );
    else
      made.outbox.relay(
        'c',
        {
          publish: async (messages) => {
            if (messages.some(({ position }) => slow[position] === true)) await after(1);
            const failed: { position: number; error: unknown }[] = [];
            const failedKeys = new Set<string | undefined>();
            for (const { position, key } of messages) {
              if (failsLeft[position]! > 0) {
                failsLeft[position]! -= 1;
                failed.push({ position, error: errorOf(position) });
                failedKeys.add(key);
              } else if (key === undefined || !failedKeys.has(key)) done.push(position);
            }
            return { failed };
          },
        },
        options,
      );
    // Some are in the log at first, others come while it works.
    for (let nr = 1; nr <= total; nr += 60) {
      await made.put(range(nr, 60).map((each) => keyed(each, keyOf[each])));
      await after(30);
    }
    await reached(made, total);
    await waitFor(() => done.length >= total, 20_000);
    await waitFor(async () => (await made.failures()).length === 0);
    expect(overlaps).toEqual([]);
    expect([...done].sort((a, b) => a - b)).toEqual(range(1, total));
    for (const key of new Set(keyOf.filter((each) => each !== undefined))) {
      const ofKey = done.filter((position) => keyOf[position] === key);
      expect(ofKey, key).toEqual([...ofKey].sort((a, b) => a - b));
    }
    expect(made.of('error')).toEqual([]);
  },
  60_000,
);
