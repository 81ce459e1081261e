import mongoose from 'mongoose';

import { startReplicaSet } from '../dev/replica-set.js';
import { ServiceOutbox, type ServiceOutboxOptions } from '../src/index.js';

/** The message of all benchmarks; about 300 bytes of BSON with its envelope. */
export type Message = {
  type: 'order_created';
  data: {
    ordernr: number;
    customer: string;
    placed: Date;
    note: string;
    lines: { sku: string; quantity: number; price: number }[];
  };
};

export const schemas = {
  order_created: {
    data: {
      ordernr: { type: Number, required: true },
      customer: { type: String, required: true },
      placed: { type: Date, required: true },
      note: { type: String, required: true },
      lines: {
        type: [
          {
            sku: { type: String, required: true },
            quantity: { type: Number, required: true },
            price: { type: Number, required: true },
          },
        ],
        required: true,
      },
    },
  },
} as const;

export function message(ordernr: number): Message {
  return {
    type: 'order_created',
    data: {
      ordernr,
      customer: `customer-${ordernr % 1_000}`,
      placed: new Date(1_700_000_000_000 + ordernr),
      note: 'leave it at the door, please',
      lines: [{ sku: `sku-${ordernr % 97}`, quantity: 1 + (ordernr % 3), price: 9.5 }],
    },
  };
}

/** Where the servers of one benchmark run are: started here, or given by BENCH_MONGO_URI (child processes). */
export async function startServer(): Promise<{ uri: string; stop: () => Promise<void> }> {
  const set = await startReplicaSet();
  return { uri: set.uri, stop: () => set.stop() };
}

export interface Opened {
  connection: mongoose.Connection;
  outbox: ServiceOutbox<Message>;
  close: () => Promise<void>;
}

export async function open(uri: string, database: string, options: ServiceOutboxOptions = {}): Promise<Opened> {
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = new ServiceOutbox<Message>('bench', schemas, { connection, ...options });
  outbox.on('error', ({ error }) => console.error('  error event:', error));
  await outbox.init();
  return {
    connection,
    outbox,
    close: async () => {
      await outbox.close();
      await connection.close();
    },
  };
}

/** The value below which a share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
