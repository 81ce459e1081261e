/**
 * Publishing in order, and storing the cursor only when the broker has the message: as a loop, and as a stream.
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
const orders = [1, 2, 3, 4, 5].map((ordernr) => ({ type: 'order_created' as const, data: { ordernr } }));
const lastId = (await outbox.put(orders, null)).at(-1);

/** A broker that is slow for every other message. */
async function publish(by: string, message: Delivered<Message>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, message.data.ordernr % 2 === 0 ? 5 : 50));
  console.log(by, 'published order', message.data.ordernr, 'at position', message.position);
}

const cursors = mongoose.connection.collection<{ _id: string; created: Date }>('cursors');

async function loadCursor(by: string): Promise<Date | 'beginning'> {
  return (await cursors.findOne({ _id: by }))?.created ?? 'beginning';
}

async function publishAndStore(by: string, message: Delivered<Message>): Promise<void> {
  await publish(by, message);
  await cursors.updateOne({ _id: by }, { $set: { created: message.created } }, { upsert: true });
}

// As a loop: the next message is asked for when this one is published and the cursor stored.
for await (const message of outbox.messages(await loadCursor('loop'))) {
  await publishAndStore('loop', message);
  // So that the example ends; a relay goes on.
  if (message.id === lastId) break;
}

// As a stream: concatMap calls its function for a message when the stream of the one before has ended, and fromPromise
// ends when the promise is kept. What the log delivers meanwhile waits in memory.
const [outbox$, scheduler, close] = outbox.tail(await loadCursor('stream'));
const published$ = concatMap((message) => {
  const published = publishAndStore('stream', message).then(() => (message.id === lastId ? close() : undefined));
  return fromPromise(published);
}, outbox$);
await runEffects(published$, scheduler).catch((error: unknown) => {
  // A rejected publish ends the stream; its message comes first when the relay is started again.
  console.error('the relay gives up:', error);
  process.exitCode = 1;
});

await outbox.close();
await mongoose.disconnect();
