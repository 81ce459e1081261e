import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import { startChild, type ChildOutbox } from '../../support/child-outbox.js';
import { doneOf, expectFirstsInKeyOrder, inPhase, keyed, seeded } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry, type Consuming } from '../../support/consuming.js';
import { createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import type { Run } from '../../support/scripted-work.js';

// A transaction whose process died holds its locks for as long as this.
const server = ownServer({ args: ['--setParameter', 'transactionLifetimeLimitSeconds=1'] });

const transactional = true;

/** What the handlers have counted, by key. */
async function counted({ connection }: Consuming): Promise<Record<string, number>> {
  const found = await connection.collection<{ _id: string; count: number }>('projection').find().toArray();
  return Object.fromEntries(found.map(({ _id, count }) => [_id, count]));
}

const settledAt = (consuming: Consuming, last: number) =>
  waitFor(async () => {
    const { position, retrying } = await consuming.info();
    return position === last && retrying === 0;
  }, 20_000);

/** Registers the consumer, which takes a transaction of its own. */
const register = (outbox: Consuming['outbox']) => outbox.drain('c', () => undefined, { transactional });

/** Counts `messages` messages while the process that counts is killed again and again; gives what was counted. */
async function countWhileKilled(kills: number, messages: number, options: { transactional: boolean }): Promise<number> {
  const leaseMs = 300;
  const runs: Run[] = [];
  const random = seeded(7);
  const { uri } = server;
  const watcher = await createConsuming({ uri, options: { leaseMs } }, runs);
  await watcher.outbox.start();
  await watcher.put(range(1, messages).map((n) => keyed(n, undefined, 'count')));
  const spawn = () => startChild({ uri, database: watcher.database, options: { leaseMs } }, (run) => runs.push(run));
  let next: Promise<ChildOutbox> | undefined = spawn();
  for (let kill = 0; kill < kills; kill += 1) {
    const child: ChildOutbox = await next!;
    next = kill < kills - 1 ? spawn() : undefined;
    await child.order({ do: 'consume', options });
    const most = 5 + Math.floor(random() * 30);
    await waitFor(() => child.runs.length >= most, 15_000);
    await child.kill9();
  }
  watcher.consume({ ...options, transactional: options.transactional as false });
  await settledAt(watcher, messages);
  return (await counted(watcher))['all'] ?? 0;
}

describe('a transactional consumer', () => {
  it('counts exactly, though its process is killed (kill -9) at random', async () => {
    expect(await countWhileKilled(4, 400, { transactional })).toBe(400);
  }, 60_000);

  it('is needed for that: without the option the same counts double', async () => {
    expect(await countWhileKilled(3, 400, { transactional: false })).toBeGreaterThan(400);
  }, 60_000);

  it.each([
    { what: 'arrives late', fault: { blockConnection: true, blockTimeMS: 800 } },
    { what: 'never arrives', fault: { closeConnection: true } },
  ])('counts exactly when it is killed while its commit is under way, and $what', async ({ what, fault }) => {
    const { uri } = server;
    const leaseMs = 500;
    const appName = `dies and ${what}`;
    const watcher = await createConsuming({ uri, options: { leaseMs } });
    const options = { leaseMs, sequencer: false };
    const child = await startChild({ uri, database: watcher.database, options, connect: { appName } });
    await register(watcher.outbox);
    await watcher.outbox.start();
    await watcher.put(range(1, 5).map((n) => keyed(n, 'all', 'count')));
    const commits = await failCommand(server.client, { failCommands: ['commitTransaction'], appName, ...fault });
    await child.order({ do: 'consume', options: { transactional } });
    await commits.met();
    await child.kill9();
    await commits.off();
    watcher.consume({ transactional: true as never });
    await settledAt(watcher, 5);
    expect(await counted(watcher)).toEqual({ all: 5 });
  });

  it('takes back what a failing handler wrote, retries it, and keeps the order of keys and dead letters', async () => {
    const one = await createConsuming();
    const note = (n: number) =>
      ['count', 'count fail:1', 'count', 'count fail:2', 'count', 'count dead', 'count'][n % 7];
    const all = range(1, 70).map((n) => keyed(n, `k${n % 5}`, note(n)));
    await one.put(all);
    one.consume({ transactional: true as never, retry: quickRetry });
    await settledAt(one, 70);
    const dead = range(1, 70).filter((n) => n % 7 === 5);
    expect(await counted(one)).toEqual(
      Object.fromEntries(
        range(0, 5).map((k) => [`k${k}`, range(1, 70).filter((n) => n % 5 === k && n % 7 !== 5).length]),
      ),
    );
    expect(await one.outbox.failures.list({ consumer: 'c' })).toMatchObject(
      dead.map((position) => ({ position, state: 'dead', attempts: 1 })),
    );
    expectFirstsInKeyOrder(one.runs, 'begin');
    expectFirstsInKeyOrder(one.runs, 'done');
    expect(Math.max(...one.runs.map(({ attempt }) => attempt))).toBe(3);
  });

  it('may handle for longer than a renewal of its lease, and than the lease', async () => {
    const one = await createConsuming({ uri: server.uri, options: { leaseMs: 450 } });
    await one.put([keyed(1, 'a', 'count wait:700'), keyed(2, 'a', 'count')]);
    one.consume({ transactional: true as never });
    await settledAt(one, 2);
    expect(await counted(one)).toEqual({ a: 2 });
    expect(inPhase(one.runs, 'begin')).toEqual([1, 2]);
    expect(one.events.map(({ event }) => event)).toEqual(['consumer:start']);
  });

  it('gives documents that are saved without a session theirs, with transactionAsyncLocalStorage', async () => {
    const base = new mongoose.Mongoose();
    base.set('transactionAsyncLocalStorage', true);
    const { outbox, connection } = await createOutbox<TestMessage>({ base });
    const Counter = connection.model('Counter', new base.Schema({ ordernr: Number }));
    await Counter.createCollection();
    await outbox.put([keyed(1), keyed(2)], null);
    const attempts: number[] = [];
    outbox.consume(
      'c',
      async ({ data }, { attempt }) => {
        await new Counter({ ordernr: data.ordernr }).save();
        await outbox.put({ type: 'order_shipped', data: { ordernr: data.ordernr } });
        attempts.push(attempt);
        if (data.ordernr === 2 && attempt === 1) throw new Error('after the save');
      },
      { transactional, retry: quickRetry, types: ['order_created'] },
    );
    await waitFor(async () => (await outbox.consumers.list())[0]?.position === 4);
    expect((await Counter.find().lean()).map(({ ordernr }) => ordernr).sort()).toEqual([1, 2]);
    expect(attempts).toEqual([1, 1, 2]);
  });

  it('spends no attempt on write conflicts with others', async () => {
    const one = await createConsuming({ uri: server.uri });
    await one.put([keyed(1, 'a', 'count'), keyed(2, 'b', 'count')]);
    const projection = one.connection.collection('projection');
    await projection.insertOne({ _id: 'a' as never, count: 0 });
    await using client = new mongoose.mongo.MongoClient(server.uri);
    const session = client.startSession();
    session.startTransaction();
    await client
      .db(one.database)
      .collection('projection')
      .updateOne({ _id: 'a' as never }, { $inc: { count: 1 } }, { session });
    one.consume({ transactional: true as never, retry: { ...quickRetry, maxAttempts: 1 } });
    // The body runs again and again within one attempt.
    await waitFor(() => inPhase(one.runs, 'failed').length >= 3);
    await session.abortTransaction();
    await session.endSession();
    await settledAt(one, 2);
    expect(await counted(one)).toEqual({ a: 1, b: 1 });
    expect(await one.outbox.failures.list({ all: true })).toEqual([]);
    expect(new Set(one.runs.map(({ attempt }) => attempt))).toEqual(new Set([1]));
  });

  it.each([
    {
      what: 'an unknown outcome',
      fault: { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } },
      times: 2,
    },
    { what: 'a lost connection', fault: { closeConnection: true }, times: 3 },
    { what: 'a transaction that is gone', fault: { errorCode: 251 }, times: 2 },
    { what: 'an error of the server', fault: { errorCode: 8 }, times: 2 },
  ])('counts exactly when commits meet $what', async ({ what, fault, times }) => {
    const appName = `commits ${what}`;
    const one = await createConsuming({ uri: server.uri, connect: { appName } });
    await register(one.outbox);
    await one.put(range(1, 10).map((n) => keyed(n, `k${n % 2}`, 'count')));
    await one.outbox.start();
    await waitFor(async () => (await one.outbox.status()).pending.count === 0);
    const met = await failCommand(server.client, { failCommands: ['commitTransaction'], appName, ...fault }, { times });
    one.consume({ transactional: true as never, retry: quickRetry });
    await met.met(times);
    await settledAt(one, 10);
    expect(await counted(one)).toEqual({ k0: 5, k1: 5 });
    expectFirstsInKeyOrder(one.runs, 'done');
    expect(await one.outbox.failures.list({ all: true })).toEqual([]);
  });

  it.each([
    { what: 'succeeds', fault: {} },
    { what: 'fails, so that the transaction is run again,', fault: { errorCode: 251 } },
  ])('counts exactly when its commit $what after the time of the handler', async ({ what, fault }) => {
    const appName = `late ${what}`;
    const { outbox, connection } = await createOutbox({ uri: server.uri, connect: { appName } });
    const projection = connection.collection('projection');
    await projection.insertOne({ _id: 'n' as never, count: 0 });
    await register(outbox);
    await outbox.put(keyed(1), null);
    await failCommand(
      server.client,
      { failCommands: ['commitTransaction'], appName, blockConnection: true, blockTimeMS: 400, ...fault },
      { times: 1 },
    );
    let runs = 0;
    outbox.consume(
      'c',
      async (_message, { session }) => {
        runs += 1;
        await projection.updateOne({ _id: 'n' as never }, { $inc: { count: 1 } }, { session });
      },
      { transactional, handlerTimeoutMs: 200, retry: quickRetry },
    );
    await waitFor(async () => {
      const [info] = await outbox.consumers.list();
      return info?.position === 1 && info.retrying === 0;
    });
    expect(runs).toBeGreaterThanOrEqual(1);
    expect(await projection.findOne()).toMatchObject({ count: 1 });
  });

  it('writes nothing outside its transaction when its signal aborts just as it begins to write', async () => {
    const { outbox, connection } = await createOutbox();
    const projection = connection.collection('projection');
    await projection.insertOne({ _id: 'late' as never, count: 0 });
    await outbox.put(keyed(1), null);
    const late: Promise<unknown>[] = [];
    outbox.consume(
      'c',
      async (_message, { signal, session, attempt }) => {
        if (attempt > 1) return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        const write = projection.updateOne({ _id: 'late' as never }, { $inc: { count: 1 } }, { session });
        late.push(write.catch(() => undefined));
        await write;
      },
      { transactional, handlerTimeoutMs: 100, retry: quickRetry },
    );
    await waitFor(async () => {
      const [info] = await outbox.consumers.list();
      return info?.position === 1 && info.retrying === 0;
    });
    await Promise.all(late);
    expect(late).toHaveLength(1);
    expect(await projection.findOne()).toMatchObject({ count: 0 });
  });

  it('runs one message at a time: more are refused', async () => {
    const one = await createConsuming();
    expect(() => one.consume({ transactional: true as never, concurrency: 2 })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('concurrency') as string }),
    );
    await one.put(range(1, 10).map((n) => keyed(n, `k${n}`, 'count wait:2')));
    one.consume({ transactional: true as never });
    await settledAt(one, 10);
    expect(one.runs.map(({ phase }) => phase)).toEqual(range(1, 10).flatMap(() => ['begin', 'done']));
    expect(doneOf(one.runs)).toEqual(range(1, 10));
  });

  it('stays what it is: another call with the option otherwise is refused', async () => {
    const one = await createConsuming();
    const consumer = one.consume({ transactional: true as never });
    await waitFor(() => one.events.length > 0);
    await consumer.close();
    await expect(one.consume().closed).rejects.toMatchObject({ code: 'CONSUMER_MISMATCH' });
  });
});
