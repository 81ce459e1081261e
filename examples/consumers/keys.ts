/**
 * Order by key: what fails holds back its own key and nothing else; with `order: "strict"` it holds back everything.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/consumers/keys.ts
 */
import mongoose from 'mongoose';
import { ServiceOutbox } from 'service-outbox';

type Message = { type: 'step_done'; data: { parcel: string; step: number } };

const outbox = new ServiceOutbox<Message>('KeysExample', {
  step_done: { data: { parcel: { type: String, required: true }, step: { type: Number, required: true } } },
});

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();

// Two parcels whose steps alternate in the log, and one that is of no key.
const step = (parcel: string, nr: number) => ({ type: 'step_done' as const, data: { parcel, step: nr }, key: parcel });
await outbox.put([step('red', 1), step('blue', 1), step('red', 2), step('blue', 2), step('red', 3)], null);
await outbox.put({ type: 'step_done', data: { parcel: 'loose', step: 1 } }, null);

for (const order of ['key', 'strict'] as const) {
  const name = `tracker-${order}`;
  const handled: string[] = [];
  const consumer = outbox.consume(
    name,
    ({ data }, { attempt }) => {
      // The first step of the red parcel fails at first.
      if (data.parcel === 'red' && data.step === 1 && attempt === 1) throw new Error('not ready');
      handled.push(`${data.parcel} ${data.step}`);
    },
    { order, retry: { initialDelayMs: 300, jitter: 0 } },
  );
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { pending, consumers } = await outbox.status();
    const tracker = consumers.find((info) => info.name === name);
    if (pending.count === 0 && tracker?.lag === 0 && tracker.retrying === 0) break;
  }
  await consumer.close();
  console.log(`${order}: ${handled.join(', ')}`);
}

await outbox.close();
await mongoose.disconnect();
