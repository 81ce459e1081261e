/** The service: writers that place orders side by side, each order and its messages in one transaction. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import mongoose, { type ClientSession } from 'mongoose';
import { runChild } from './child-main.js';
import { orderModel } from './order-model.js';
import { openOutbox, type TypesOfFile } from './outbox.js';
import type { Order, OrdersByWriter } from './plan-orders.js';
import type { Placed } from './verify.js';
import { wallClock } from './wall-clock.js';

export interface ServiceTask {
  readonly uri: string;
  readonly database: string;
  readonly types: TypesOfFile | undefined;
  readonly writers: OrdersByWriter;
  /** The orders are spread over so many milliseconds, or as many as the machine needs. */
  readonly durationMs: number;
}

export type ServiceReport = { readonly kind: 'placed'; readonly placed: Placed } | { readonly kind: 'done' };

/** Thrown in a transaction to abort it. */
class OrderRefused extends Error {}

runChild<ServiceTask, ServiceReport>(async ({ uri, database, types, writers, durationMs }, send, stop) => {
  setMaxListeners(writers.length + 1, stop);
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = openOutbox(connection, types);
  const Order = orderModel(connection);

  async function place({ nr, messages, abort }: Order): Promise<Pick<Placed, 'ids' | 'outcome'>> {
    let ids: string[] = [];
    try {
      await connection.transaction(async (session: ClientSession) => {
        await Order.create([{ ordernr: nr }], { session });
        ids = await outbox.put(messages, session);
        if (abort) throw new OrderRefused();
      });
      return { ids, outcome: 'committed' };
    } catch (error) {
      if (error instanceof OrderRefused) return { ids, outcome: 'aborted' };
      throw new Error(`order ${nr}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  async function write(orders: readonly Order[], writer: number): Promise<void> {
    // Each writer at a moment of its own: they keep step with the clock, and not with each other.
    const start = wallClock() + ((durationMs / orders.length) * writer) / writers.length;
    for (const [turn, order] of orders.entries()) {
      const due = start + (durationMs / orders.length) * turn;
      await delay(Math.max(0, due - wallClock()), undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      const beganAt = wallClock();
      const outcome = await place(order);
      await send({ kind: 'placed', placed: { writer, turn, ...outcome, beganAt, endedAt: wallClock() } });
    }
  }

  await Promise.all(writers.map(write));
  await send({ kind: 'done' });
  await outbox.close();
  await connection.close();
});
