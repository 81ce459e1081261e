/**
 * Builds a projection anew from the log: pause, clear it, rewind, resume.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/consumers/replay.ts
 */
import mongoose from 'mongoose';
import { OutboxError, ServiceOutbox } from 'service-outbox';

type Message = { type: 'sold'; data: { product: string; pieces: number } };

const outbox = new ServiceOutbox<Message>('ReplayExample', {
  sold: { data: { product: { type: String, required: true }, pieces: { type: Number, required: true } } },
});
const Sales = mongoose.model('Sales', new mongoose.Schema({ _id: String, sales: Number, pieces: Number }));

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();
await Sales.createCollection();

let version = 1;
const consumer = outbox.consume(
  'sales',
  async ({ data: { product, pieces } }, { session }) => {
    // The first version forgot the pieces.
    const counted = version === 1 ? { sales: 1 } : { sales: 1, pieces };
    await Sales.updateOne({ _id: product }, { $inc: counted }, { session, upsert: true });
  },
  { transactional: true },
);

await outbox.put(
  [
    { type: 'sold', data: { product: 'pen', pieces: 3 } },
    { type: 'sold', data: { product: 'ink', pieces: 1 } },
    { type: 'sold', data: { product: 'pen', pieces: 2 } },
  ],
  null,
);
await caughtUp();
await show('the first version');

// Nobody handles a message from here to resume, in whatever process; and nothing that was handled repeats.
await outbox.consumers.pause('sales', { by: 'example', reason: 'sales are built anew' });
const [paused] = await outbox.consumers.list();
console.log(`${paused?.name} is ${paused?.state}: ${paused?.paused?.reason}`);
await Sales.deleteMany({});
version = 2;
await outbox.consumers.rewind('sales', 'beginning');
await outbox.consumers.resume('sales');
await caughtUp();
await show('the second version');

// There is nothing beyond the end to go on from.
await outbox.consumers.rewind('sales', 1_000_000).catch((error: unknown) => {
  if (error instanceof OutboxError) console.log('refused:', error.code);
});

await consumer.close();
await outbox.close();
await mongoose.disconnect();

async function caughtUp(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { pending, consumers } = await outbox.status();
    if (pending.count === 0 && consumers.find(({ name }) => name === 'sales')?.lag === 0) return;
  }
}

async function show(what: string): Promise<void> {
  for (const { _id, sales, pieces } of await Sales.find().sort({ _id: 1 }))
    console.log(`${what}: ${_id}, ${sales} sales, ${pieces ?? 'unknown'} pieces`);
}
