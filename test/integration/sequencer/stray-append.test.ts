import { expect, it } from 'vitest';

import { collectAll, createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { startMover } from '../../support/movers.js';
import { numbersOf, order, orders, range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { entryAt, exactCollection } from '../../support/raw-log.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const server = ownServer();
const createCapped = () => createOutbox({ uri: server.uri, options: { maxMessages: 100, sequencer: false } });

it('an append that arrives after its place was overwritten is none: its message stays in pending, and comes at the end', async () => {
  const { outbox, database, connection } = await createCapped();
  await outbox.init();
  const proxy = await TcpProxy.start(server.uri);
  const late = startMover(await createConnection({ uri: proxy.uri, database }), 1);
  const held = proxy.hold('insert', 'Outbox');
  await outbox.put(order(1_000), null);
  const release = await held;
  // Others, which were put before and have committed since, take all places of the log once over.
  const log = exactCollection(connection, 'Outbox');
  await log.insertMany(range(1, 150).map((position) => entryAt(position)));
  release();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  await late.stop();
  const messages = await collectAll(outbox.messages('beginning', { live: false }));
  expect(numbersOf(messages).filter((ordernr) => ordernr === 1_000)).toEqual([1_000]);
  expect(messages.at(-1)).toMatchObject({ position: 151, data: { ordernr: 1_000 } });
});

it('what only a stray entry holds is not taken out of pending by the next sequencer', async () => {
  const { outbox, connection } = await createCapped();
  await outbox.put(orders(1_000, 2), null);
  const [first] = await exactCollection(connection, 'Outbox.pending').find().sort({ ts: 1 }).toArray();
  const log = exactCollection(connection, 'Outbox');
  await log.insertMany(range(1, 150).map((position) => entryAt(position)));
  await log.insertOne(entryAt(50, { token: first!._id }));
  startMover(connection, 2);
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  const messages = await collectAll(outbox.messages('beginning', { live: false }));
  expect(numbersOf(messages.slice(-2))).toEqual([1_000, 1_001]);
});
