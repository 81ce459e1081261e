/** The relay: publishes what is in the log, from its stored cursor on. It may be killed anywhere. */
import mongoose from 'mongoose';
import type { TopicAddress } from './brokers/broker.js';
import { openWriter } from './brokers/open.js';
import { runChild } from './child-main.js';
import { gather } from './gather.js';
import { openOutbox, type TypesOfFile } from './outbox.js';
import { RelayCursor } from './relay-cursor.js';

export interface RelayTask {
  readonly uri: string;
  readonly database: string;
  readonly types: TypesOfFile | undefined;
  readonly topic: TopicAddress;
}

export type RelayReport =
  | { readonly kind: 'reading' }
  /** Everything up to this position has been acknowledged by the broker. */
  | { readonly kind: 'published'; readonly position: number };

const MOST_AT_ONCE = 500;

runChild<RelayTask, RelayReport>(async ({ uri, database, types, topic }, send, stop) => {
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = openOutbox(connection, types);
  const cursor = new RelayCursor(connection);
  const writer = await openWriter(topic);

  const from = (await cursor.load()) ?? 'beginning';
  await send({ kind: 'reading' });
  for await (const messages of gather(outbox.messages(from, { signal: stop }), MOST_AT_ONCE)) {
    const last = messages.at(-1);
    if (last === undefined) continue;
    await writer.publish(messages);
    // Only now: a relay that dies before this line publishes them again, one that stored first would lose them.
    await cursor.store(last.created);
    await send({ kind: 'published', position: last.position });
  }

  await writer.close();
  await outbox.close();
  await connection.close();
});
