import { Schema, type Connection, type Model } from 'mongoose';

/** The state that the messages speak of. */
export interface OrderState {
  ordernr: number;
}

const schema = new Schema<OrderState>({ ordernr: { type: Number, required: true } });

export function orderModel(connection: Connection): Model<OrderState> {
  return connection.model<OrderState>('Order', schema);
}
