/**
 * Publishing in order, with the cursor stored only when the broker has the message: as a loop, and as a stream.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/ordered-publish.ts
 */
import { concatMap, fromPromise, runEffects } from '@most/core';
import mongoose from 'mongoose';
import { ServiceOutbox, type Delivered } from 'service-outbox';

type Message = { type: 'order_created'; data: { ordernr: number } };

const outbox = new ServiceOutbox<Message>('OrderedPublish', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
});

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();
for (let ordernr = 1; ordernr <= 5; ordernr += 1) await outbox.put({ type: 'order_created', data: { ordernr } }, null);

/** A broker that takes longer for some messages than for others. */
async function publish(message: Delivered<Message>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, message.data.ordernr % 2 === 0 ? 5 : 50));
  console.log('published', message.data.ordernr);
}

const cursors = mongoose.connection.collection<{ _id: string; created: Date }>('cursors');

async function publishAndStore(message: Delivered<Message>): Promise<void> {
  await publish(message);
  await cursors.updateOne({ _id: 'loop' }, { $set: { created: message.created } }, { upsert: true });
}

// As a loop: the next message is asked for only when this one is published.
const stored = await cursors.findOne({ _id: 'loop' });
for await (const message of outbox.messages(stored?.created ?? 'beginning')) {
  await publishAndStore(message);
  if (message.data.ordernr === 5) break;
}

// As a stream: concatMap calls its function for a message when the stream of the one before has ended. What the log
// delivers meanwhile waits in memory, since @most can't slow the reader down.
const [outbox$, scheduler, close] = outbox.tail('beginning');
const published$ = concatMap((message) => {
  const published = publishAndStore(message).then(() => (message.data.ordernr === 5 ? close() : undefined));
  return fromPromise(published);
}, outbox$);
await runEffects(published$, scheduler);

await outbox.close();
await mongoose.disconnect();
