import mongoose from 'mongoose';
import { ServiceOutbox } from 'service-outbox';

/** Every message that this service publishes. */
export type Message =
  | { type: 'order_created'; data: { ordernr: number } }
  | { type: 'order_paid'; data: { ordernr: number; amount: number } }
  | { type: 'order_cancelled'; data: { ordernr: number; reason?: string } };

export const outbox = new ServiceOutbox<Message>('OrderServiceOutbox', {
  order_created: { data: { ordernr: { type: Number, required: true } } },
  order_paid: { data: { ordernr: { type: Number, required: true }, amount: { type: Number, required: true } } },
  order_cancelled: { data: { ordernr: { type: Number, required: true }, reason: String } },
});

outbox.on('error', ({ part, error }) => console.error(`outbox, ${part}:`, error));

export async function connect(): Promise<void> {
  await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
  await outbox.init();
}

export async function disconnect(): Promise<void> {
  await outbox.close();
  await mongoose.disconnect();
}
