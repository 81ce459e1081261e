/**
 * Keeps a projection exact: the handler's writes and the checkpoint commit together, and a transaction that fails leaves
 * neither.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/consumers/projection.ts
 */
import mongoose from 'mongoose';
import { ServiceOutbox } from 'service-outbox';

type Message =
  | { type: 'order_paid'; data: { customer: string; amount: number } }
  | { type: 'order_refunded'; data: { customer: string; amount: number } };

const payment = { customer: { type: String, required: true }, amount: { type: Number, required: true } } as const;
const outbox = new ServiceOutbox<Message>('ProjectionExample', {
  order_paid: { data: payment },
  order_refunded: { data: payment },
});

/** What each customer has paid. Applied twice, a payment would spoil it. */
const Total = mongoose.model('Total', new mongoose.Schema({ _id: String, payments: Number, amount: Number }));

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();
// Before the first transaction: creating a collection inside one takes longer, and conflicts with others that do.
await Total.createCollection();

let interrupted = false;
const consumer = outbox.consume(
  'totals',
  {
    order_paid: async ({ position, data: { customer, amount } }, { session, attempt }) => {
      await Total.updateOne({ _id: customer }, { $inc: { payments: 1, amount } }, { session, upsert: true });
      // Fails once after its write, as a crash would: the write is undone with the transaction, and comes again.
      if (!interrupted && position % 5 === 0) {
        interrupted = true;
        throw new Error('interrupted after the write');
      }
      console.log(`position ${position}: ${customer} paid ${amount}${attempt > 1 ? `, at attempt ${attempt}` : ''}`);
    },
    order_refunded: async ({ position, data: { customer, amount } }, { session }) => {
      await Total.updateOne({ _id: customer }, { $inc: { payments: -1, amount: -amount } }, { session, upsert: true });
      console.log(`position ${position}: ${customer} got ${amount} back`);
    },
  },
  { transactional: true, retry: { initialDelayMs: 200 } },
);

await outbox.put(
  [
    { type: 'order_paid', data: { customer: 'ada', amount: 30 }, key: 'ada' },
    { type: 'order_paid', data: { customer: 'ben', amount: 5 }, key: 'ben' },
    { type: 'order_paid', data: { customer: 'ada', amount: 12 }, key: 'ada' },
    { type: 'order_refunded', data: { customer: 'ben', amount: 5 }, key: 'ben' },
    { type: 'order_paid', data: { customer: 'cem', amount: 7 }, key: 'cem' },
  ],
  null,
);

// Until nothing is left in the log or in failures.
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { pending, consumers } = await outbox.status();
  const totals = consumers.find(({ name }) => name === 'totals');
  if (pending.count === 0 && totals?.lag === 0 && totals.retrying === 0) break;
}
await consumer.close();
for (const { _id, payments, amount } of await Total.find().sort({ _id: 1 }))
  console.log(`${_id}: ${payments} payments, ${amount} in all`);

await outbox.close();
await mongoose.disconnect();
