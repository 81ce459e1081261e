/** What can happen to an order: each time one transaction that changes the order and puts the message about it. */
import mongoose from 'mongoose';
import { outbox } from './outbox.js';

/** The state that the messages speak of. */
export const Order = mongoose.model(
  'Order',
  new mongoose.Schema({
    ordernr: { type: Number, required: true, unique: true },
    status: { type: String, enum: ['created', 'paid', 'cancelled'], required: true },
  }),
);

/** @throws MongoDB's duplicate key error (code 11000) where there is an order of that number */
export async function placeOrder(ordernr: number): Promise<void> {
  await mongoose.connection.transaction(async (session) => {
    await Order.create([{ ordernr, status: 'created' }], { session });
    await outbox.put({ type: 'order_created', data: { ordernr }, key: String(ordernr) }, session);
  });
}

/** @returns whether there was such an order, not yet paid nor cancelled */
export async function payOrder(ordernr: number, amount: number): Promise<boolean> {
  return mongoose.connection.transaction(async (session) => {
    const was = await Order.updateOne({ ordernr, status: 'created' }, { $set: { status: 'paid' } }, { session });
    if (was.modifiedCount === 0) return false;
    await outbox.put({ type: 'order_paid', data: { ordernr, amount }, key: String(ordernr) }, session);
    return true;
  });
}

/** @returns whether there was such an order, not yet paid nor cancelled */
export async function cancelOrder(ordernr: number, reason: string | null): Promise<boolean> {
  return mongoose.connection.transaction(async (session) => {
    const was = await Order.updateOne({ ordernr, status: 'created' }, { $set: { status: 'cancelled' } }, { session });
    if (was.modifiedCount === 0) return false;
    const data = reason === null ? { ordernr } : { ordernr, reason };
    await outbox.put({ type: 'order_cancelled', data, key: String(ordernr) }, session);
    return true;
  });
}
