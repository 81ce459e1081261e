import mongoose from 'mongoose';

import { startReplicaSet } from '../dev/replica-set.js';
import { ServiceOutbox, type ServiceOutboxOptions } from '../src/index.js';

/** The message of all benchmarks: an entry of about 300 bytes in the log. */
export type Message = {
  type: 'order_created';
  data: { ordernr: number; customer: string; placed: Date; note: string };
};

const schemas = {
  order_created: {
    data: {
      ordernr: { type: Number, required: true },
      customer: { type: String, required: true },
      placed: { type: Date, required: true },
      note: { type: String, required: true },
    },
  },
} as const;

const note = 'Leave it at the door, please, and ring twice; the dog is friendly. '.repeat(2);

export function message(ordernr: number): Message {
  const placed = new Date(1_700_000_000_000 + ordernr);
  return { type: 'order_created', data: { ordernr, customer: `customer-${ordernr % 1_000}`, placed, note } };
}

/** Where the servers of one benchmark run are: started here, or given by BENCH_MONGO_URI (child processes). */
export async function startServer(): Promise<{ uri: string; stop: () => Promise<void> }> {
  const set = await startReplicaSet({ args: ['--wiredTigerCacheSizeGB', '4'] });
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

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}
