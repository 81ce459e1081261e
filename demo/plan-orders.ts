import type { OutboxMessage, Put } from 'service-outbox';
import type { InputLine } from './input-file.js';
import type { OrderMessage } from './order-messages.js';

/** One transaction to be: an order and the messages that go with it. */
export interface Order {
  /** The number of the order, or the line of the file. */
  readonly nr: number;
  readonly messages: readonly Put<OutboxMessage>[];
  /** The transaction is aborted on purpose, after the messages were put. */
  readonly abort: boolean;
}

const CUSTOMERS = ['Ada', 'Brahmagupta', 'Cantor', 'Dedekind', 'Emmy', 'Fermat', 'Germain'];
const ABORTED = 0.1;
const PAID_AT_ONCE = 0.25;

/** The orders of each writer, in the order in which it is to place them. */
export type OrdersByWriter = readonly (readonly Order[])[];

/** A tenth is aborted on purpose, a quarter has two messages. */
export function madeUpOrders(count: number, writers: number, random: () => number): OrdersByWriter {
  const orders = Array.from({ length: count }, (_, index): Order => {
    const ordernr = index + 1;
    const key = String(ordernr);
    const customer = CUSTOMERS[Math.floor(random() * CUSTOMERS.length)] as string;
    const total = Math.floor(random() * 10_000) / 100;
    const messages: Put<OrderMessage>[] = [{ type: 'order_created', key, data: { ordernr, customer, total } }];
    if (random() < PAID_AT_ONCE) messages.push({ type: 'order_paid', key, data: { ordernr, amount: total } });
    return { nr: ordernr, messages, abort: random() < ABORTED };
  });
  return share(orders, writers, (_order, index) => index % writers);
}

/** One transaction a line, none aborted. Lines of one key stay in their order: one writer has them all. */
export function ordersOf(lines: readonly InputLine[], writers: number): OrdersByWriter {
  const writerOfKey = new Map<string, number>();
  const orders = lines.map(({ line, message }): Order => ({ nr: line, messages: [message], abort: false }));
  return share(orders, writers, ({ messages: [message] }, index) => {
    if (message?.key === undefined) return index % writers;
    const writer = writerOfKey.get(message.key) ?? writerOfKey.size % writers;
    writerOfKey.set(message.key, writer);
    return writer;
  });
}

function share(
  orders: readonly Order[],
  writers: number,
  writerOf: (order: Order, index: number) => number,
): Order[][] {
  const shares: Order[][] = Array.from({ length: writers }, () => []);
  for (const [index, order] of orders.entries()) shares[writerOf(order, index)]?.push(order);
  return shares;
}
