/** The relay: publishes what is in the log, from its stored place on. It may be killed anywhere. */
import { setTimeout } from 'node:timers/promises';
import mongoose, { type Connection } from 'mongoose';
import { Unavailable, type Delivered, type OutboxMessage, type Publisher, type ServiceOutbox } from 'service-outbox';
import type { TopicAddress, TopicWriter } from './brokers/broker.js';
import { openWriter } from './brokers/open.js';
import { runChild, type Send } from './child-main.js';
import { gather } from './gather.js';
import { openOutbox, type TypesOfFile } from './outbox.js';
import { RelayCursor } from './relay-cursor.js';

export interface RelayTask {
  readonly uri: string;
  readonly database: string;
  readonly types: TypesOfFile | undefined;
  readonly topic: TopicAddress;
  /** Whether the library's relay publishes, and keeps its place. */
  readonly durable: boolean;
}

export type RelayReport =
  | { readonly kind: 'reading' }
  /** Everything up to this position has been acknowledged by the broker. */
  | { readonly kind: 'published'; readonly position: number };

const MOST_AT_ONCE = 500;
/** Between two tries at a broker that is down; its client waits for long by itself. */
const RETRY_MS = 500;

/** What a way of publishing is given. */
interface Means {
  readonly connection: Connection;
  readonly outbox: ServiceOutbox<OutboxMessage>;
  readonly writer: TopicWriter;
  readonly send: Send<RelayReport>;
  readonly stop: AbortSignal;
}

runChild<RelayTask, RelayReport>(async ({ uri, database, types, topic, durable }, send, stop) => {
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = openOutbox(connection, types);
  const writer = await openWriter(topic);

  const publishing = durable ? relay : loop;
  await publishing({ connection, outbox, writer, send, stop });

  await writer.close();
  await outbox.close();
  await connection.close();
});

/** A cursor that is kept by hand. */
async function loop({ connection, outbox, writer, send, stop }: Means): Promise<void> {
  const cursor = new RelayCursor(connection);
  const from = (await cursor.load()) ?? 'beginning';
  await send({ kind: 'reading' });
  for await (const messages of gather(outbox.messages(from, { signal: stop }), MOST_AT_ONCE)) {
    const last = messages.at(-1);
    if (last === undefined) continue;
    await untilPublished(writer, messages, stop);
    if (stop.aborted) return;
    // Only now: a relay that dies before this line publishes them again, one that stored first would lose them.
    await cursor.store(last.created);
    await send({ kind: 'published', position: last.position });
  }
}

/** A broker that is down is waited for: the same messages again, from the first on, so that they stay in order. */
async function untilPublished(
  writer: TopicWriter,
  messages: readonly Delivered<OutboxMessage>[],
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    const result = await writer
      .publish(messages, { signal: stop, consumer: 'demo', epoch: 0 })
      .catch((error: unknown) => ({ failed: [{ error }] }));
    const [failure] = result?.failed ?? [];
    if (failure === undefined) return;
    if (!(failure.error instanceof Unavailable)) throw failure.error;
    await setTimeout(RETRY_MS);
  }
}

/** The library's relay: it stores its checkpoint itself, also behind what is published. */
async function relay({ outbox, writer, send, stop }: Means): Promise<void> {
  const publisher: Publisher<OutboxMessage> = {
    async publish(messages, context) {
      const result = await writer.publish(messages, context);
      const last = messages.at(-1);
      if (last !== undefined && (result?.failed ?? []).length === 0)
        await send({ kind: 'published', position: last.position });
      return result;
    },
  };
  outbox.on('consumer:start', () => void send({ kind: 'reading' }));
  // Strict, since the closing table counts every position that is lower than one before it.
  await outbox.relay('demo', publisher, { order: 'strict', batchSize: 100, signal: stop }).closed;
}
