import { describe, expect, it } from 'vitest';

import { startChild, type ChildOutbox } from '../../support/child-outbox.js';
import { doneOf, inPhase, keyed } from '../../support/consumer-runs.js';
import { createConsuming, type Consuming } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import type { Run } from '../../support/scripted-work.js';

const server = ownServer({ args: ['--setParameter', 'transactionLifetimeLimitSeconds=1'] });

const leaseMs = 200;
const retry = { maxAttempts: 3, initialDelayMs: 20, maxDelayMs: 20, jitter: 0 };

/** Processes that take each other's place as a service's do, until nothing is left to do; how many of them died. */
async function runUntilSettled(
  watcher: Consuming,
  runs: Run[],
  order: Parameters<ChildOutbox['order']>[0],
  last: number,
  mostDeaths: number,
): Promise<number> {
  const spawn = () =>
    startChild({ uri: server.uri, database: watcher.database, options: { leaseMs } }, (run) => runs.push(run));
  let next = spawn();
  for (let deaths = 0; deaths <= mostDeaths; deaths += 1) {
    const child = await next;
    next = spawn();
    await child.order(order);
    const settled = await waitFor(async () => {
      if (child.hasEnded) return 'died';
      const { position, retrying } = await watcher.info();
      return position === last && retrying === 0 && 'settled';
    }, 15_000);
    if (settled === 'settled') {
      await child.order({ do: 'close' });
      await next;
      return deaths;
    }
  }
  throw new Error(`it still kills after ${mostDeaths} deaths`);
}

describe('a message that kills its process each time', () => {
  it('is a dead letter after maxAttempts deaths while it ran alone; all others are handled', async () => {
    const runs: Run[] = [];
    const watcher = await createConsuming({ uri: server.uri, options: { leaseMs } });
    await watcher.outbox.start();
    await watcher.put(
      range(1, 10).map((n) => keyed(n, n === 4 || n === 6 ? 'poison' : `k${n}`, n === 4 ? 'kill' : '')),
    );
    const order = { do: 'consume', options: { retry, concurrency: 4, batchSize: 5 } } as const;
    // The first death, beside others, tells nothing of any of them; and a retry beside others tells nothing either.
    const deaths = await runUntilSettled(watcher, runs, order, 10, 2 * retry.maxAttempts);
    expect(deaths).toBeGreaterThanOrEqual(retry.maxAttempts);
    expect(await watcher.outbox.failures.list({ consumer: 'c' })).toMatchObject([
      { position: 4, state: 'dead', attempts: retry.maxAttempts, lastError: { code: 'PROCESS_DIED' } },
    ]);
    expect(new Set(doneOf(runs))).toEqual(new Set([1, 2, 3, 5, 6, 7, 8, 9, 10]));
    expect(inPhase(runs, 'begin').filter((n) => n === 4).length).toBe(deaths);
  }, 60_000);

  it('on its retry: fails first, kills after that, and is a dead letter all the same', async () => {
    const runs: Run[] = [];
    const watcher = await createConsuming({ uri: server.uri, options: { leaseMs } });
    await watcher.outbox.start();
    await watcher.put([keyed(1, 'a'), keyed(2, 'b', 'kill-retry'), keyed(3, 'b'), keyed(4, 'c')]);
    const order = { do: 'consume', options: { retry } } as const;
    await runUntilSettled(watcher, runs, order, 4, 2 * retry.maxAttempts);
    const failures = await watcher.outbox.failures.list({ consumer: 'c' });
    expect(failures).toMatchObject([
      {
        position: 2,
        state: 'dead',
        attempts: retry.maxAttempts,
        firstError: { message: 'fails before it kills' },
        lastError: { code: 'PROCESS_DIED' },
      },
    ]);
    expect(new Set(doneOf(runs))).toEqual(new Set([1, 3, 4]));
  }, 60_000);

  it('in a relay', async () => {
    const runs: Run[] = [];
    const watcher = await createConsuming({ uri: server.uri, options: { leaseMs } });
    await watcher.outbox.start();
    await watcher.put(range(1, 10).map((n) => keyed(n, `k${n}`, n === 4 ? 'kill' : '')));
    const order = { do: 'relay', options: { retry, batchSize: 5 } } as const;
    await runUntilSettled(watcher, runs, order, 10, 2 * retry.maxAttempts);
    expect(await watcher.outbox.failures.list({ consumer: 'c' })).toMatchObject([
      { position: 4, state: 'dead', attempts: retry.maxAttempts, lastError: { code: 'PROCESS_DIED' } },
    ]);
    expect(new Set(doneOf(runs))).toEqual(new Set([1, 2, 3, 5, 6, 7, 8, 9, 10]));
  }, 60_000);
});
