/** Publishes three payments as the order service does, and all of them twice, as after a send that timed out. */
import { Kafka, logLevel } from 'kafkajs';

const topic = 'orders';
const allReplicas = -1;

const kafka = new Kafka({
  clientId: 'order-service',
  logLevel: logLevel.ERROR,
  brokers: (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(','),
});
const producer = kafka.producer({ allowAutoTopicCreation: true });

const run = Date.now().toString(36);
const messages = [1, 2, 3].map((ordernr) => ({
  key: String(ordernr),
  value: JSON.stringify({ ordernr, amount: 20 }),
  headers: { id: `payment-${run}-${ordernr}`, type: 'order_paid' },
}));

await producer.connect();
for (const time of ['first', 'second']) {
  await producer.send({ topic, acks: allReplicas, messages });
  console.log(`published ${messages.length} payments of 20, for the ${time} time`);
}
await producer.disconnect();
