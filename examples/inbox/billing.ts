/**
 * Reads the messages of the order service from Kafka, and books each payment once, though Kafka may deliver it again and
 * the order service may have published it twice.
 */
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import mongoose from 'mongoose';
import { Inbox } from 'service-outbox';

const topic = 'orders';

/** The state that a payment applied twice would spoil. */
const Account = mongoose.model('Account', new mongoose.Schema({ _id: String, payments: Number, amount: Number }));

/** One for this service, whose processes share it. */
const inbox = new Inbox('Billing');

const kafka = new Kafka({
  clientId: 'billing',
  logLevel: logLevel.ERROR,
  brokers: (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(','),
});
const consumer = kafka.consumer({ groupId: 'billing' });

/** Resolves when the message is applied, now or before: only then is its offset committed. */
async function apply(message: KafkaMessage): Promise<void> {
  // The headers that examples/order-service/worker.ts sends. The offset would be no id: a message published again has another.
  // One that has none is refused by the inbox.
  const id = message.headers?.['id']?.toString() ?? '';
  if (String(message.headers?.['type']) !== 'order_paid') return;
  const { ordernr, amount } = JSON.parse(String(message.value)) as { ordernr: number; amount: number };
  const total = await mongoose.connection.transaction((session) =>
    inbox.once(id, session, async () => {
      const account = await Account.findOneAndUpdate(
        { _id: 'sales' },
        { $inc: { payments: 1, amount } },
        { session, upsert: true, returnDocument: 'after' },
      );
      return account?.amount;
    }),
  );
  console.log(total === undefined ? 'seen before:' : 'booked:', id, 'order', ordernr, total ?? '');
}

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/billing?replicaSet=rs0');
await Account.createCollection();
await inbox.init();
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // The message under way is still applied; after that nothing keeps the process alive.
    void consumer.disconnect().then(() => mongoose.disconnect());
  });
}
// What throws here is delivered again: kafkajs commits the offset of a message whose promise is kept.
await consumer.run({ eachMessage: ({ message }) => apply(message) });
