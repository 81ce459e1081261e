import { describe, expect, it } from 'vitest';

import { startChild, type ChildOutbox } from '../../support/child-outbox.js';
import {
  doneOf,
  expectFirstsInKeyOrder,
  keyed,
  overlapsOf,
  repeatsOf,
  seeded,
  type Order,
} from '../../support/consumer-runs.js';
import { createConsuming, quickRetry } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import type { Run } from '../../support/scripted-work.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

// A transaction whose process died holds its locks for as long as this.
const server = ownServer({ args: ['--setParameter', 'transactionLifetimeLimitSeconds=1'] });

const leaseMs = 500;
const batchSize = 20;

/** Some of a few keys fail once or twice, a few for good, some messages have no key. */
function someOrder(ordernr: number, random: () => number): Order {
  const key = random() < 0.2 ? undefined : `k${Math.floor(random() * 8)}`;
  const fate = random();
  return keyed(ordernr, key, fate < 0.03 ? 'dead' : fate < 0.1 ? 'fail:1' : fate < 0.12 ? 'fail:2' : 'wait:1');
}

const isDead = (order: Order): boolean => 'note' in order.data && order.data.note === 'dead';

/** Everything was handled or is a dead letter, in the order of its key, and repeats are bounded. */
async function expectAllSettled(
  consuming: Awaited<ReturnType<typeof createConsuming>>,
  put: readonly Order[],
  runs: readonly Run[],
  kills: number,
): Promise<void> {
  const expected = put.filter((order) => !isDead(order)).map(({ data }) => data.ordernr);
  const dead = put.filter(isDead).map(({ data }) => data.ordernr);
  await waitFor(async () => {
    const { position, retrying } = await consuming.info();
    return position === put.length && retrying === 0;
  }, 20_000);
  expect([...new Set(doneOf(runs))].sort((a, b) => a - b)).toEqual(expected);
  const failures = await consuming.outbox.failures.list({ consumer: 'c', limit: 1_000 });
  // A message whose process died while it ran alone has spent an attempt, and may be dead for that only after many.
  expect(failures.map(({ message }) => message.data.ordernr)).toEqual(dead);
  expect(failures.every(({ state }) => state === 'dead')).toBe(true);
  expectFirstsInKeyOrder(runs, 'begin');
  expectFirstsInKeyOrder(runs, 'done');
  expect(repeatsOf(runs)).toBeLessThanOrEqual(kills * batchSize);
}

describe('kill -9 of consuming processes', () => {
  it('at random, while messages flow: loses nothing, keeps the order of keys and repeats at most a window for each kill', async () => {
    const random = seeded(20_261_125);
    const runs: Run[] = [];
    const { uri } = server;
    const watcher = await createConsuming({ uri, options: { leaseMs, sequencer: true } }, runs);
    await watcher.outbox.start();
    const { database } = watcher;
    const spawn = async (): Promise<ChildOutbox> => {
      const child = await startChild({ uri, database, options: { leaseMs } }, (run) => runs.push(run));
      await child.order({ do: 'consume', options: { batchSize, concurrency: 4, retry: quickRetry } });
      return child;
    };
    const put: Order[] = [];
    let flowing = true;
    const writer = (async () => {
      while (flowing) {
        await waitFor(() => !flowing || put.length < doneOf(runs).length + 200, 20_000);
        const some = range(put.length + 1, 10).map((n) => someOrder(n, random));
        await watcher.put(some);
        put.push(...some);
      }
    })();
    const kills = 6;
    let children: ChildOutbox[] = await Promise.all([spawn(), spawn()]);
    for (let kill = 0; kill < kills; kill += 1) {
      const next = kill < kills - 1 ? spawn() : undefined;
      const before = doneOf(runs).length;
      await waitFor(() => doneOf(runs).length >= before + 5 + Math.floor(random() * 100), 20_000);
      const owner = children.find(({ runs: [...own] }) => own.at(-1) === runs.at(-1)) ?? children[0]!;
      await owner.kill9();
      children = children.filter((child) => child !== owner);
      if (next !== undefined) children.push(await next);
    }
    flowing = false;
    await writer;
    await expectAllSettled(watcher, put, runs, kills);
  }, 60_000);

  it('between any two commands of the loop', async () => {
    const runs: Run[] = [];
    const { uri } = server;
    const watcher = await createConsuming({ uri, options: { leaseMs } }, runs);
    await watcher.outbox.start();
    const { database } = watcher;
    const steps = [
      { command: 'update', collection: 'Outbox.state' },
      { command: 'update', collection: 'Outbox.failures' },
      { command: 'commitTransaction' },
      { command: 'delete', collection: 'Outbox.failures' },
      { command: 'findAndModify', collection: 'Outbox.state' },
    ];
    const put: Order[] = [];
    const add = async () => {
      const some = range(put.length + 1, 12).map((n) => keyed(n, `k${n % 3}`, n % 12 === 5 ? 'fail:1' : 'wait:1'));
      await watcher.put(some);
      put.push(...some);
    };
    const victim = (name: string) =>
      startChild({ uri, database, options: { leaseMs, sequencer: false }, connect: { appName: name } }, (run) =>
        runs.push(run),
      );
    let next = victim('victim 0');
    for (const [index, { command, collection }] of steps.entries()) {
      const child = await next;
      next = index + 1 < steps.length ? victim(`victim ${index + 1}`) : next;
      await add();
      const fault = await failCommand(
        server.client,
        {
          failCommands: [command],
          appName: `victim ${index}`,
          ...(collection === undefined ? {} : { namespace: `${database}.${collection}` }),
          blockConnection: true,
          blockTimeMS: 1_500,
        },
        { times: 1 },
      );
      await child.order({ do: 'consume', options: { batchSize, retry: quickRetry } });
      await fault.met();
      await child.kill9();
      await fault.off();
    }
    watcher.consume({ batchSize, retry: quickRetry });
    await expectAllSettled(watcher, put, runs, steps.length);
    expect(overlapsOf(watcher.runs.filter(({ epoch }) => epoch === runs.at(-1)?.epoch))).toEqual([]);
  }, 60_000);

  it('with messages parked and queued above the checkpoint: they are run from there, and none of them twice', async () => {
    const runs: Run[] = [];
    const { uri } = server;
    const watcher = await createConsuming({ uri, options: { leaseMs } }, runs);
    const child = await startChild({ uri, database: watcher.database, options: { leaseMs } }, (run) => runs.push(run));
    const retry = { ...quickRetry, initialDelayMs: 60_000, maxDelayMs: 60_000 };
    await watcher.put([
      keyed(1, 'held', 'hold'),
      keyed(2, 'a', 'fail:1'),
      keyed(3, 'a'),
      keyed(4, undefined, 'fail:1'),
      keyed(5, 'b'),
    ]);
    await child.order({ do: 'consume', options: { concurrency: 4, retry } });
    const listed = () => watcher.outbox.failures.list({ consumer: 'c' });
    await waitFor(async () => (await listed()).length === 3);
    const before = await listed();
    expect(before.map(({ position, state }) => [position, state])).toEqual([
      [2, 'retrying'],
      [3, 'queued'],
      [4, 'retrying'],
    ]);
    expect((await watcher.info()).position).toBe(0);
    await child.kill9();
    const killedAt = runs.length;
    watcher.consume({ concurrency: 4, retry });
    await waitFor(() => runs.length > killedAt);
    watcher.work.release();
    await waitFor(async () => (await watcher.info()).position === 5);
    expect(await listed()).toEqual(before);
    expect(runs.slice(killedAt).filter(({ ordernr }) => [2, 3, 4].includes(ordernr))).toEqual([]);
  });

  it('while a failing message is being parked: another process goes on within the time of its lease', async () => {
    const runs: Run[] = [];
    const { uri } = server;
    const watcher = await createConsuming({ uri, options: { leaseMs } }, runs);
    const { database } = watcher;
    const admin = server.client.db('admin');
    await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 60 });
    const proxy = await TcpProxy.start(uri);
    const child = await startChild({ uri: proxy.uri, database, options: { leaseMs } });
    await watcher.put([keyed(1, 'a', 'fail:1'), keyed(2, 'b'), keyed(3, 'a')]);
    // The first half of the transaction that parks is done, the other one never reaches the server.
    const first = proxy.hold('update', 'Outbox.failures');
    await child.order({ do: 'consume', options: { retry: quickRetry } });
    const letGo = await first;
    const second = proxy.hold('update', 'Outbox.state');
    letGo();
    await second;
    await child.kill9();
    const killedAt = performance.now();
    watcher.consume({ retry: quickRetry });
    try {
      await waitFor(() => watcher.events.some(({ event }) => event === 'consumer:start'), 5_000);
      expect(performance.now() - killedAt).toBeLessThan(leaseMs + 2_000);
      await waitFor(() => doneOf(watcher.runs).length === 3, 5_000);
      await waitFor(async () => (await watcher.info()).position === 3, 5_000);
      expect(doneOf(watcher.runs)).toEqual([2, 1, 3]);
    } finally {
      await admin.command({ killAllSessions: [] });
      await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 1 });
    }
  });
});
