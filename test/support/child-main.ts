/** What runs in a child process: one outbox, driven by messages of the parent. See child-outbox.ts. */
import mongoose from 'mongoose';

import { ServiceOutbox, type Consumer, type Cursor, type MessageSchemas } from '../../src/index.js';
import type { ChildOrder, ChildReport, ChildSetup } from './child-outbox.js';
import type { TestMessage } from './create-outbox.js';
import { ScriptedWork } from './scripted-work.js';

const { uri, database, name, options, connect } = JSON.parse(process.argv[2] ?? '') as ChildSetup;

/** As in create-outbox.ts, which only a test can import. */
const schemas: MessageSchemas<TestMessage> = {
  order_created: { data: { ordernr: { type: Number, required: true }, note: String } },
  order_shipped: { data: { ordernr: { type: Number, required: true } } },
};

const report = (message: ChildReport): void => void process.send?.(message);

const connection = await mongoose.createConnection(uri, { dbName: database, ...connect }).asPromise();
const outbox = new ServiceOutbox<TestMessage>(name, schemas, { connection, ...options });
for (const event of ['sequencer:elected', 'sequencer:lost', 'log:append', 'tail:reopen'] as const)
  outbox.on(event, (payload) => report({ event, payload }));
for (const event of ['consumer:start', 'consumer:stop', 'consumer:lost', 'consumer:dead'] as const)
  outbox.on(event, (payload) => report({ event, payload }));
outbox.on('error', ({ part, error }) => report({ event: 'error', payload: { part, message: String(error) } }));

async function read(cursor: Cursor): Promise<void> {
  for await (const { position, data } of outbox.messages(cursor)) report({ read: [position, data.ordernr] });
}

const work = new ScriptedWork((run) => report({ run }), connection);
const consumers: Consumer[] = [];
function started(consumer: Consumer): Promise<void> {
  consumers.push(consumer);
  consumer.closed.then(
    () => report({ event: 'closed' }),
    (error: { code?: unknown }) => report({ event: 'closed', payload: { code: error.code } }),
  );
  return Promise.resolve();
}

const orders: Record<ChildOrder['do'], (order: ChildOrder) => Promise<unknown>> = {
  init: () => outbox.init(),
  start: () => outbox.start(),
  read: ({ cursor }) => {
    read(cursor ?? 'beginning').then(
      () => report({ event: 'read:end' }),
      (error: Error) => report({ event: 'read:error', payload: { message: error.message } }),
    );
    return Promise.resolve();
  },
  consume: ({ consumer = 'c', options: given = {} }) =>
    started(outbox.consume(consumer, work.handle, given as { transactional?: false })),
  relay: ({ consumer = 'c', options: given = {} }) => started(outbox.relay(consumer, work.publisher, given)),
  drain: ({ consumer = 'c', options: given = {} }) =>
    outbox.drain(consumer, work.handle, given as { transactional?: false }),
  release: async () => work.release(),
  closeConsumers: () => Promise.all(consumers.splice(0).map((consumer) => consumer.close())),
  put: ({ ordernrs = [] }) =>
    connection.transaction(async (session) => {
      for (const ordernr of ordernrs) await outbox.put({ type: 'order_created', data: { ordernr } }, session);
    }),
  close: () => outbox.close(),
  disconnect: () => connection.close(),
  /** From here on nothing but what the library and the driver hold keeps this process alive. */
  letGo: async () => process.channel?.unref(),
};

process.on('message', (order: ChildOrder) => {
  orders[order.do](order).then(
    (result) => report({ done: order.id, ...(order.do === 'drain' ? { result } : {}) }),
    (error: Error) => report({ failed: order.id, message: error.stack ?? error.message }),
  );
});
report({ event: 'ready' });
