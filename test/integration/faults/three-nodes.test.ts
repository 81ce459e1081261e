import { MongoClient, type Document } from 'mongodb';
import type { Connection } from 'mongoose';
import { expect, it } from 'vitest';

import type { ServerNode } from '../../../dev/server-process.js';
import type { Delivered, OutboxEvents, ServiceOutbox } from '../../../src/index.js';
import { resolveOptions } from '../../../src/options.js';
import { Store } from '../../../src/store/store.js';
import { LogReader } from '../../../src/tail/log-reader.js';
import { LogWatch } from '../../../src/tail/log-watch.js';
import { recordCommands } from '../../support/commands.js';
import { collect, collectAll, createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order, orders, putInTransaction, range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';

const server = ownServer({ nodes: 3, electionTimeoutMs: 1_500 });

/** To one node alone. */
async function tell(node: ServerNode, command: Document): Promise<void> {
  await using client = new MongoClient(`mongodb://127.0.0.1:${node.port}`, { directConnection: true });
  await client.db('admin').command(command);
}

async function primaryAmong(nodes: readonly ServerNode[]): Promise<ServerNode | undefined> {
  for (const node of nodes) {
    await using client = new MongoClient(`mongodb://127.0.0.1:${node.port}`, { directConnection: true });
    if ((await client.db('admin').command({ hello: 1 }))['isWritablePrimary'] === true) return node;
  }
  return undefined;
}

/** What is written while `during` runs, the primary alone has. */
async function stopReplication(during: () => Promise<void>): Promise<void> {
  const primary = await server.set.primary();
  const secondaries = server.set.nodes.filter((node) => node !== primary);
  const replication = (mode: string) =>
    Promise.all(secondaries.map((node) => tell(node, { configureFailPoint: 'rsSyncApplyStop', mode })));
  await replication('alwaysOn');
  try {
    await during();
  } finally {
    await replication('off');
  }
}

/** What one reader gets, until its outbox is closed. */
function readAll(outbox: ServiceOutbox<TestMessage>): { messages: Delivered<TestMessage>[]; ended: Promise<void> } {
  const messages: Delivered<TestMessage>[] = [];
  const ended = (async () => {
    for await (const message of outbox.messages()) messages.push(message);
  })();
  return { messages, ended };
}

/** Puts orders `writer * 100,000` … one after another in transactions, until stopped; gives those known to be committed. */
function startWriter(to: { outbox: ServiceOutbox<TestMessage>; connection: Connection }, writer: number) {
  const committed: number[] = [];
  let putting = true;
  const done = (async () => {
    for (let ordernr = writer * 100_000; putting; ordernr += 1) {
      // `withTransaction` gives up after two minutes only; what it reports as failed may be committed all the same.
      await putInTransaction(to, ordernr).then(
        () => committed.push(ordernr),
        () => undefined,
      );
    }
  })();
  return {
    committed,
    stop: async () => {
      putting = false;
      await done;
    },
  };
}

/** Writers and readers of two processes' worth of outboxes, while `faults` goes on; then everything is compared. */
async function expectNothingLost(faults: () => Promise<void>): Promise<{ reopened: OutboxEvents['tail:reopen'][] }> {
  const options = { leaseMs: 3_000, safetyPollMs: 1_000 };
  // The driver notices a server that hangs only by its own monitoring, which takes 40 s as it is by default.
  const connect = { connectTimeoutMS: 1_500, heartbeatFrequencyMS: 500 };
  const one = await createOutbox({ uri: server.uri, options, connect });
  const two = await createOutbox({ uri: server.uri, database: one.database, options, connect });
  await Promise.all([one.outbox.init(), two.outbox.init()]);
  const reopened: OutboxEvents['tail:reopen'][] = [];
  one.outbox.on('tail:reopen', (event) => reopened.push(event));
  const readers = [readAll(one.outbox), readAll(two.outbox)];
  const writers = [startWriter(one, 1), startWriter(one, 2), startWriter(two, 3)];
  await waitFor(() => readers.every(({ messages }) => messages.length > 10), 20_000);

  await faults();

  const before = readers.map(({ messages }) => messages.length);
  await waitFor(() => readers.every(({ messages }, index) => messages.length > before[index]! + 10), 20_000);
  await Promise.all(writers.map(({ stop }) => stop()));
  await waitFor(async () => (await one.outbox.status()).pending.count === 0, 20_000);
  const log = await collectAll(one.outbox.messages('beginning', { live: false }));
  await waitFor(() => readers.every(({ messages }) => messages.length === log.length), 20_000);

  expectInOrder(log);
  for (const { messages } of readers) expect(messages).toEqual(log);
  const numbers = numbersOf(log);
  expect(new Set(numbers).size, 'orders that are there twice').toBe(numbers.length);
  for (const [index, { committed }] of writers.entries()) {
    const own = numbers.filter((ordernr) => Math.floor(ordernr / 100_000) === index + 1);
    expect(own).toEqual([...own].sort((a, b) => a - b));
    expect(committed.length).toBeGreaterThan(10);
    const lost = committed.filter((ordernr) => !numbers.includes(ordernr));
    expect(lost).toEqual([]);
  }
  expect(await one.connection.collection('Outbox').distinct('token')).toHaveLength(log.length);
  await Promise.all([one.outbox.close(), two.outbox.close()]);
  await Promise.all(readers.map(({ ended }) => ended));
  return { reopened };
}

it('an entry that only the primary has is delivered when the majority has it, and not before', async () => {
  const { outbox, connection, database } = await createOutbox({
    uri: server.uri,
    connect: { monitorCommands: true },
    options: { sequencer: false },
  });
  const mover = await createOutbox({ uri: server.uri, database });
  await mover.outbox.put(orders(1, 3), null);
  await mover.outbox.start();
  await waitFor(async () => (await mover.outbox.status()).log.last === 3);
  await mover.outbox.close();

  const sent = recordCommands(connection);
  const { messages, ended } = readAll(outbox);
  await waitFor(() => messages.length === 3 && sent.some(({ command }) => command['tailable']));
  await stopReplication(async () => {
    const seen = sent.length;
    await exactCollection(connection, 'Outbox').insertOne(entryAt(4, { data: { ordernr: 4 }, last: true }), {
      writeConcern: { w: 1 },
    });
    // The reader was woken, and looks.
    await waitFor(() => sent.slice(seen).some(({ name, collection }) => name === 'find' && collection === 'Outbox'));
    const since = performance.now();
    await waitFor(() => performance.now() - since > 1_000);
    expect(messages).toHaveLength(3);
    expect((await outbox.status()).log.last).toBe(3);
  });
  await waitFor(() => messages.length === 4);
  expect(numbersOf(messages)).toEqual([1, 2, 3, 4]);
  await outbox.close();
  await ended;
});

/** Shows an entry before the server's time has come to it, as a server may between its commit and the advance of that time. */
class EarlyWatch extends LogWatch {
  override advance(): void {
    // What a reader asks for next does not wait for what the watch has seen.
  }
}

it('an entry that a reader was woken for and could not see yet is delivered without a further append', async () => {
  const { outbox, connection } = await createOutbox({ uri: server.uri, connect: { monitorCommands: true } });
  await outbox.put(order(1), null);
  await collect(outbox.messages(), 1);
  await outbox.close();

  const sent = recordCommands(connection);
  const store = new Store(connection, 'Outbox');
  // Polls and the safety poll wake it as well, and must not hide that nothing else does.
  const options = resolveOptions({ connection, pollMaxMs: 60_000, pollMinMs: 20, safetyPollMs: 600_000 });
  const watch = new EarlyWatch(store, options, () => undefined);
  const stop = new AbortController();
  const positions: number[] = [];
  const reading = (async () => {
    for await (const page of new LogReader(store, watch, options, () => undefined).pages(0, true, stop.signal))
      positions.push(...page.map(({ _id }) => _id));
  })();
  await waitFor(() => positions.length === 1 && sent.some(({ name }) => name === 'getMore'));
  await stopReplication(async () => {
    const seen = sent.length;
    await exactCollection(connection, 'Outbox').insertOne(entryAt(2, { data: { ordernr: 2 }, last: true }), {
      writeConcern: { w: 1 },
    });
    await waitFor(() => watch.isBeyond(1));
    // It looks, and finds nothing that the majority has.
    await waitFor(() => sent.slice(seen).some(({ name, collection }) => name === 'find' && collection === 'Outbox'));
  });
  await waitFor(() => positions.length === 2);
  expect(positions).toEqual([1, 2]);
  stop.abort();
  await reading;
});

it('through step-downs every two seconds nothing is lost, doubled or out of order', { timeout: 90_000 }, async () => {
  const { reopened } = await expectNothingLost(async () => {
    for (const _ of range(1, 6)) {
      const since = performance.now();
      const stepDown = { replSetStepDown: 2, secondaryCatchUpPeriodSecs: 1, force: true };
      // The connection may be cut by it, and between two elections there is nobody to tell.
      await server.client
        .db('admin')
        .command(stepDown)
        .catch(() => undefined);
      await server.set.primary();
      await waitFor(() => performance.now() - since > 2_000, 5_000);
    }
  });
  // Each time, the cursor would have gone on silently on the old primary.
  expect(reopened.length).toBeGreaterThanOrEqual(3);
});

it(
  'through a primary that is killed (kill -9), and one that hangs (SIGSTOP), until they come back',
  { timeout: 90_000 },
  async () => {
    await expectNothingLost(async () => {
      const killed = await server.set.primary();
      await killed.kill9();
      await server.set.primary();
      await killed.restart();
      await server.set.settled();

      const hanging = await server.set.primary();
      hanging.pause();
      await waitFor(
        async () => (await primaryAmong(server.set.nodes.filter((node) => node !== hanging))) !== undefined,
        20_000,
      );
      hanging.resume();
      await server.set.settled();
    });
  },
);
