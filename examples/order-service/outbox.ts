import mongoose from 'mongoose';
import { ServiceOutbox } from 'service-outbox';

/** Every message that this service publishes. */
export type Message =
  | { type: 'order_created'; data: { ordernr: number; customer: string } }
  | { type: 'order_cancelled'; data: { ordernr: number; reason?: string } };

export const outbox = new ServiceOutbox<Message>('OrderServiceOutbox', {
  order_created: {
    data: { ordernr: { type: Number, required: true }, customer: { type: String, required: true } },
  },
  order_cancelled: { data: { ordernr: { type: Number, required: true }, reason: String } },
});

outbox.on('error', ({ part, error }) => console.error(`outbox, ${part}:`, error));

/** The state that the messages speak of. */
export const Order = mongoose.model(
  'Order',
  new mongoose.Schema({
    ordernr: { type: Number, required: true, unique: true },
    customer: { type: String, required: true },
    status: { type: String, enum: ['created', 'cancelled'], required: true },
  }),
);

export async function connect(): Promise<void> {
  await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
  await Order.init();
  await outbox.init();
}

export async function disconnect(): Promise<void> {
  await outbox.close();
  await mongoose.disconnect();
}
