import { MongoClient, Timestamp, type ClusterTime } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';

import { startReplicaSet } from '../../../dev/replica-set.js';
import type { Delivered } from '../../../src/index.js';
import {
  collectAll,
  createConnection,
  createOutbox,
  freshDatabase,
  waitFor,
  type TestMessage,
} from '../../support/create-outbox.js';
import { expectEachOnce, expectInOrder, numbersOf, order, putInTransaction } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';

const server = ownServer();

/** Puts one order after another, each until its transaction is known to be committed. */
function startWriter(created: Parameters<typeof putInTransaction>[0], first: number) {
  let putting = true;
  let next = first;
  const done = (async () => {
    while (putting) {
      // A put whose outcome is unknown may be there twice: two puts are two messages, of one order here.
      await putInTransaction(created, next).then(
        () => (next += 1),
        () => undefined,
      );
    }
  })();
  return {
    /** Orders below this are committed. */
    get next() {
      return next;
    },
    stop: async () => {
      putting = false;
      await done;
      return next;
    },
  };
}

describe('a server that is killed (kill -9) and started again while messages are put and read', () => {
  it('loses nothing, doubles nothing, and every reader and sequencer goes on by itself', async () => {
    const { outbox, connection } = await createOutbox({
      uri: server.uri,
      connect: { serverSelectionTimeoutMS: 30_000 },
      options: { leaseMs: 2_000 },
    });
    const messages: Delivered<TestMessage>[] = [];
    const ended = (async () => {
      for await (const message of outbox.messages()) messages.push(message);
    })();
    const writer = startWriter({ outbox, connection }, 1);
    for (const round of [1, 2]) {
      await waitFor(() => messages.length >= round * 20);
      await server.set.nodes[0]!.kill9();
      await server.set.nodes[0]!.restart();
      await waitFor(() => messages.length >= round * 20 + 20, 20_000);
    }
    const next = await writer.stop();
    await waitFor(async () => (await outbox.status()).pending.count === 0, 20_000);
    const log = await collectAll(outbox.messages('beginning', { live: false }));
    await waitFor(() => messages.length === log.length);
    expect(messages).toEqual(log);
    expectInOrder(messages);
    // Each committed order is there; in order, as one writer put them.
    const numbers = numbersOf(messages);
    expect(new Set(numbers).size).toBe(next - 1);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    // No put is in the log twice.
    expect(await connection.collection('Outbox').distinct('token')).toHaveLength(messages.length);
    await outbox.close();
    await ended;
  });
});

describe('a server that does not answer while a consumer closes', () => {
  it('keeps its name no longer than the close: the next one of the name goes on when the server does', async () => {
    const { outbox } = await createOutbox({ uri: server.uri, options: { closeTimeoutMs: 50, leaseMs: 1_000 } });
    const handled: number[] = [];
    const consume = () => outbox.consume('c', ({ position }) => void handled.push(position));
    const first = consume();
    await outbox.put(order(1), null);
    await waitFor(() => handled.includes(1));
    const [node] = server.set.nodes;
    node!.pause();
    try {
      await first.close();
      expect(consume).not.toThrow();
    } finally {
      node!.resume();
    }
    await outbox.put(order(2), null);
    await waitFor(() => handled.includes(2), 20_000);
  });
});

it('a server that does not answer during init does not keep the outbox from closing', async () => {
  const { outbox, connection } = await createOutbox({ uri: server.uri, options: { closeTimeoutMs: 50 } });
  const [node] = server.set.nodes;
  node!.pause();
  try {
    const consumer = outbox.consume('c', () => undefined);
    const reading = collectAll(outbox.messages('beginning'));
    const refused = [outbox.init(), outbox.put(order(1), null), outbox.drain('d', () => undefined)].map((each) =>
      expect(each).rejects.toMatchObject({ code: 'CLOSED' }),
    );
    await outbox.close();
    await Promise.all([...refused, consumer.closed]);
    expect(await reading).toEqual([]);
  } finally {
    node!.resume();
  }
  // Its name is free, and what was begun harms nobody.
  const { outbox: next } = await createOutbox({ connection });
  await next.init();
});

describe('two clusters in one process', () => {
  it('know nothing of each other: the times of one never reach the commands of the other', async () => {
    await using other = await startReplicaSet({ mongod: inject('mongod') });
    await using client = new MongoClient(other.uri);
    // The second is a thousand seconds ahead: a time of it, in a command to the first, would be refused.
    const session = client.startSession();
    const { $clusterTime } = await client.db('admin').command({ ping: 1 });
    const now = $clusterTime as ClusterTime;
    const clusterTime = new Timestamp({ t: now.clusterTime.getHighBits() + 1_000, i: 1 });
    session.advanceClusterTime({ ...now, clusterTime });
    await client.db('admin').command({ ping: 1 }, { session });
    await session.endSession();
    const one = await createOutbox({ uri: server.uri });
    const connection = await createConnection({ uri: other.uri, database: freshDatabase() });
    const two = await createOutbox({ connection });
    const errors: unknown[] = [];
    for (const { outbox } of [one, two]) outbox.on('error', ({ error }) => errors.push(error));
    const readers = [one, two].map(async ({ outbox }) => {
      const seen: Delivered<TestMessage>[] = [];
      for await (const message of outbox.messages()) {
        seen.push(message);
        if (seen.length === 30) break;
      }
      return seen;
    });
    for (let ordernr = 1; ordernr <= 30; ordernr += 1) {
      await one.outbox.put(order(ordernr), null);
      await two.outbox.put(order(ordernr), null);
    }
    for (const seen of await Promise.all(readers)) {
      expectInOrder(seen);
      expectEachOnce(seen, numbersOf(seen));
    }
    expect(errors).toEqual([]);
    await two.outbox.close();
    await connection.close();
  });
});
