/**
 * A function that is called by a timer and does what is to be done within its time: nothing runs between the calls.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/consumers/serverless.ts
 */
import mongoose from 'mongoose';
import { ServiceOutbox, type DrainReport } from 'service-outbox';

type Message = { type: 'order_created'; data: { ordernr: number } };

const outbox = new ServiceOutbox<Message>('ServerlessExample', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
});

/** Outside the function, so that a warm instance uses it again. */
await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');

/** What the timer calls. */
async function handler(remainingMs: number): Promise<DrainReport> {
  return outbox.drain(
    'mailer',
    async ({ data }, { signal }) => {
      // Stands for a request to a mail service, which stops when the signal aborts.
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 10));
      console.log('mailed order', data.ordernr);
    },
    // Some time is left for what the function does after it.
    { deadlineMs: remainingMs - 2_000, maxMessages: 3 },
  );
}

// Somebody else only puts: no sequencer runs anywhere.
const orders = [1, 2, 3, 4, 5].map((ordernr) => ({ type: 'order_created' as const, data: { ordernr } }));
await outbox.put(orders, null);

for (const call of [1, 2]) {
  const report = await handler(10_000);
  console.log(`call ${call}: handled ${report.handled}, failed ${report.failed}, remaining ${report.remaining}`);
}

// Two calls at the same time: one works, the other returns at once.
await outbox.put(orders.slice(0, 1), null);
const reports = await Promise.all([handler(10_000), handler(10_000)]);
const busy = reports.filter(({ heldBy }) => heldBy !== null).length;
console.log(
  `two calls at once: handled ${reports
    .map(({ handled }) => handled)
    .sort()
    .join(' and ')}, busy ${busy}`,
);

await outbox.close();
await mongoose.disconnect();
