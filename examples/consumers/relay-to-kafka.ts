/**
 * Relays the log to Kafka, in batches and in order per key, and goes on where it was when it is started again.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' KAFKA_BROKERS=localhost:9092 npx tsx examples/consumers/relay-to-kafka.ts
 */
import { Kafka, logLevel, type Message as KafkaRecord } from 'kafkajs';
import mongoose from 'mongoose';
import { ServiceOutbox, type Delivered, type Publisher } from 'service-outbox';

type Message =
  | { type: 'order_created'; data: { ordernr: number } }
  | { type: 'order_paid'; data: { ordernr: number; amount: number } };

const topic = 'orders-relayed';
const allReplicas = -1;

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

function toRecord({ id, key, type, position, headers, data }: Delivered<Message>): KafkaRecord {
  // Records of one key are in one partition, where they keep their order. Consumers recognise a repeat by the id.
  return { key: key ?? id, value: JSON.stringify(data), headers: { ...headers, id, type, position: String(position) } };
}

const publisher: Publisher<Message> = {
  async publish(messages, { consumer }) {
    // Resolves when all replicas have the batch. What it rejects with is an outage: the relay backs off and sends again.
    await producer.send({ topic, acks: allReplicas, messages: messages.map(toRecord) });
    const [first, last] = [messages[0], messages.at(-1)];
    console.log(`${consumer}: published ${messages.length}, positions ${first?.position} to ${last?.position}`);
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
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { pending, consumers } = await outbox.status();
  if (pending.count === 0 && consumers.find(({ name }) => name === 'kafka')?.lag === 0) break;
}
await relay.close();

const [kafkaRelay] = await outbox.consumers.list();
console.log(`the checkpoint is at ${kafkaRelay?.position}, ${kafkaRelay?.lag} to go`);

await outbox.close();
await producer.disconnect();
await mongoose.disconnect();
