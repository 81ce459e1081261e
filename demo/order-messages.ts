import type { MessageSchemas } from 'service-outbox';

/** The messages of made-up orders. */
export type OrderMessage =
  | { type: 'order_created'; data: { ordernr: number; customer: string; total: number } }
  | { type: 'order_paid'; data: { ordernr: number; amount: number } };

export const orderSchemas = {
  order_created: {
    data: {
      ordernr: { type: Number, required: true },
      customer: { type: String, required: true },
      total: { type: Number, required: true },
    },
  },
  order_paid: {
    data: { ordernr: { type: Number, required: true }, amount: { type: Number, required: true } },
  },
} as const satisfies MessageSchemas<OrderMessage>;
