/**
 * Publishes the log to Kafka, in order, and remembers in MongoDB how far it came. As the process that reads, it also is
 * the one that moves the messages of the service into the log.
 */
import { Kafka, logLevel } from 'kafkajs';
import mongoose from 'mongoose';
import type { Delivered } from 'service-outbox';
import { connect, disconnect, outbox, type Message } from './outbox.js';

const topic = 'orders';
const allReplicas = -1;

const kafka = new Kafka({
  clientId: 'order-service',
  logLevel: logLevel.ERROR,
  brokers: (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(','),
  // What became of a request that timed out is unknown: a short timeout makes duplicates.
  requestTimeout: 30_000,
});
const producer = kafka.producer({ allowAutoTopicCreation: true });
const cursors = mongoose.connection.collection<{ _id: string; created: Date }>('relay_cursors');

/** Resolves when all replicas have it. Records of one key are in one partition, where they keep their order. */
async function publish({ id, type, position, key, data }: Delivered<Message>): Promise<void> {
  const headers = { id, type, position: String(position) };
  await producer.send({
    topic,
    acks: allReplicas,
    messages: [{ key: key ?? id, value: JSON.stringify(data), headers }],
  });
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

await connect();
try {
  await producer.connect();
  const cursor = await cursors.findOne({ _id: topic });
  console.log(cursor === null ? 'publishing from the beginning' : `going on from ${cursor.created.toISOString()}`);
  for await (const message of outbox.messages(cursor?.created, { signal: stop.signal })) {
    await publish(message);
    // Only now: a worker that dies before this line publishes the message again, one that stored first would lose it.
    await cursors.updateOne({ _id: topic }, { $set: { created: message.created } }, { upsert: true });
    console.log('published', message.position, message.type, message.data.ordernr);
  }
} catch (error) {
  // Whoever runs the worker starts it again; it goes on from its cursor.
  console.error('the worker gives up:', error);
  process.exitCode = 1;
} finally {
  await producer.disconnect();
  await disconnect();
}
