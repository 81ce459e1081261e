/**
 * The shortest way to see messages flow: put in a transaction, look at them as a stream.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/seed.ts
 */
import { runEffects, tap } from '@most/core';
import mongoose from 'mongoose';
import { ServiceOutbox } from 'service-outbox';

type Message =
  | { type: 'order_created'; data: { ordernr: number } }
  | { type: 'order_cancelled'; data: { ordernr: number; reason?: string } };

const outbox = new ServiceOutbox<Message>('OrderServiceOutbox', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
  order_cancelled: { data: { ordernr: { type: Number, required: true }, reason: String } },
});

const Order = mongoose.model('Order', new mongoose.Schema({ ordernr: Number, status: String }));

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();

const started = new Date();
await mongoose.connection.transaction(async (session) => {
  await Order.create([{ ordernr: 1, status: 'created' }], { session });
  await outbox.put({ type: 'order_created', data: { ordernr: 1 } }, session);
});

const [outbox$, scheduler, close] = outbox.tail(started);
const seen$ = tap((message) => {
  console.log(message.created.toISOString(), message.type, message.data.ordernr);
  // An observer may stop the stream; delivery work belongs elsewhere, see examples/ordered-publish.ts.
  void close();
}, outbox$);

try {
  await runEffects(seen$, scheduler);
} finally {
  await outbox.close();
  await mongoose.disconnect();
}
