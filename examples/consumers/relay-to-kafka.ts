/**
 * Relays the log to Kafka, in batches and in order per key, and goes on where it was when it is started again.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' KAFKA_BROKERS=localhost:9092 npx tsx examples/consumers/relay-to-kafka.ts
 */
import { Kafka, logLevel } from 'kafkajs';
import mongoose from 'mongoose';
import { ServiceOutbox, type Publisher } from 'service-outbox';
import { kafkaPublisher } from 'service-outbox/kafka';

type Message =
  | { type: 'order_created'; data: { ordernr: number } }
  | { type: 'order_paid'; data: { ordernr: number; amount: number } };

const topic = 'orders-relayed';

const outbox = new ServiceOutbox<Message>('RelayExample', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
  order_paid: { data: { ordernr: { type: Number, required: true }, amount: { type: Number, required: true } } },
});

const kafka = new Kafka({
  clientId: 'order-service',
  logLevel: logLevel.NOTHING,
  brokers: (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(','),
});
const producer = kafka.producer({ allowAutoTopicCreation: true });

// One awaited request a batch, acknowledged by all replicas; records of one key are in one partition, where they keep
// their order. Consumers recognise a repeat by the header `id`.
const toKafka = kafkaPublisher<Message>(producer, { topic });

const publisher: Publisher<Message> = {
  async publish(messages, context) {
    const result = await toKafka.publish(messages, context);
    const [first, last] = [messages[0], messages.at(-1)];
    console.log(`${context.consumer}: published ${messages.length}, positions ${first?.position} to ${last?.position}`);
    return result;
  },
};

outbox.on('consumer:outage', ({ state, error }) => {
  console.log(`Kafka is ${state}`, error instanceof Error ? error.name : '');
});

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();
await producer.connect();

const messages = [1, 2, 3].flatMap((ordernr) => [
  { type: 'order_created' as const, data: { ordernr }, key: String(ordernr) },
  { type: 'order_paid' as const, data: { ordernr, amount: 20 }, key: String(ordernr) },
]);
await outbox.put(messages, null);

// A program that is to relay for good would just await relay.closed, and close at SIGTERM.
const relay = outbox.relay('kafka', publisher);
// Twice in a row, since what is counted moves while it is counted.
for (let quiet = 0; quiet < 2;) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { pending, consumers } = await outbox.status();
  const info = consumers.find(({ name }) => name === 'kafka');
  quiet = pending.count === 0 && info?.lag === 0 ? quiet + 1 : 0;
}
await relay.close();

const [kafkaRelay] = await outbox.consumers.list();
console.log(`the checkpoint is at ${kafkaRelay?.position}, ${kafkaRelay?.lag} to go`);

await outbox.close();
await producer.disconnect();
await mongoose.disconnect();
