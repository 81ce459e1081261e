/**
 * The shortest way from a transaction to a stream of messages.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/seed.ts
 */
import { runEffects, tap } from '@most/core';
import mongoose from 'mongoose';
import { ServiceOutbox, type Delivered } from 'service-outbox';

type Message =
  | { type: 'order_created'; data: { ordernr: number } }
  | { type: 'order_cancelled'; data: { ordernr: number; reason?: string } };

const outbox = new ServiceOutbox<Message>('OrderServiceOutbox', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
  order_cancelled: { data: { ordernr: { type: Number, required: true }, reason: String } },
});

const Order = mongoose.model('SeedOrder', new mongoose.Schema({ ordernr: Number, status: String }));

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();

// The state and the message about it: both, or none.
let id: string | undefined;
await mongoose.connection.transaction(async (session) => {
  await Order.create([{ ordernr: 1, status: 'created' }], { session });
  id = await outbox.put({ type: 'order_created', data: { ordernr: 1 } }, session);
});

/** Stands for your broker. Something that takes time must be awaited: see ordered-publish.ts. */
function publish(message: Delivered<Message>): void {
  console.log('published', message.type, message.data.ordernr);
}

// A program that is to go on where it was would take the date that it stored last.
let date = new Date(Date.now() - 60_000);

const [outbox$, scheduler, close] = outbox.tail(date);
const published$ = tap((message) => {
  publish(message);
  date = message.created;
  // A tail has no end; this program has.
  if (message.id === id) void close();
}, outbox$);

// The promise ends with the stream, and rejects with what made the stream fail. Uncaught, that would end the process.
await runEffects(published$, scheduler).catch((error: unknown) => {
  console.error('the outbox cannot be read:', error);
  process.exitCode = 1;
});
console.log('up to', date.toISOString());

await outbox.close();
await mongoose.disconnect();
