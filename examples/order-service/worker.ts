/** Republishes the log to Kafka, in order, and remembers in MongoDB how far it came. */
import { Kafka } from 'kafkajs';
import mongoose from 'mongoose';

import { connect, disconnect, outbox } from './outbox.js';

const topic = 'orders';
const kafka = new Kafka({
  clientId: 'order-service',
  brokers: (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(','),
  // A request that timed out may still have been stored: a short timeout makes duplicates.
  requestTimeout: 30_000,
});

await connect();
const cursors = mongoose.connection.collection<{ _id: string; created: Date }>('relay_cursors');
const producer = kafka.producer({ allowAutoTopicCreation: true });
await producer.connect();

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const cursor = await cursors.findOne({ _id: topic });
console.log(cursor === null ? 'publishing from the beginning' : `going on from ${cursor.created.toISOString()}`);

for await (const message of outbox.messages(cursor?.created ?? 'beginning', { signal: stop.signal })) {
  await producer.send({
    topic,
    acks: -1,
    messages: [
      {
        key: message.key ?? message.id,
        value: JSON.stringify(message.data),
        headers: { id: message.id, type: message.type, position: String(message.position) },
      },
    ],
  });
  // Only now: a worker that dies before this line publishes the message again, one that stored first would lose it.
  await cursors.updateOne({ _id: topic }, { $set: { created: message.created } }, { upsert: true });
  console.log('published', message.position, message.type, message.data.ordernr);
}

await producer.disconnect();
await disconnect();
