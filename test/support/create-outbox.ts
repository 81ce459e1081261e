import { randomBytes } from 'node:crypto';

import mongoose, { type Connection, type ConnectOptions, type Mongoose } from 'mongoose';
import { inject, onTestFinished } from 'vitest';

import type { MessageSchemas } from '../../src/schema/message-schemas.js';
import { ServiceOutbox, type OutboxMessage, type ServiceOutboxOptions } from '../../src/index.js';

/** The two message types of most tests. */
export type TestMessage =
  | { type: 'order_created'; data: { ordernr: number; note?: string } }
  | { type: 'order_shipped'; data: { ordernr: number } };

export const testSchemas: MessageSchemas<TestMessage> = {
  order_created: { data: { ordernr: { type: Number, required: true }, note: String } },
  order_shipped: { data: { ordernr: { type: Number, required: true } } },
};

export interface ConnectionOverrides {
  /** Another server than the shared one. */
  uri?: string;
  /** A database that another call made and drops. @defaultValue a fresh one, dropped when the test has finished */
  database?: string;
  /** The copy of mongoose. @defaultValue the one that tests import */
  base?: Mongoose;
  connect?: ConnectOptions;
}

export interface OutboxOverrides<Message extends OutboxMessage> extends ConnectionOverrides {
  /** @defaultValue 'Outbox' */
  name?: string;
  /** @defaultValue `testSchemas` */
  schemas?: MessageSchemas<Message>;
  /** Everything but the connection. */
  options?: Omit<ServiceOutboxOptions, 'connection'>;
  /** A connection that the caller made, and closes. @defaultValue one of its own */
  connection?: Connection;
}

export interface TestOutbox<Message extends OutboxMessage> {
  outbox: ServiceOutbox<Message>;
  connection: Connection;
  /** For a second outbox, or another process, on the same collections. */
  database: string;
}

export function freshDatabase(): string {
  return `test_${randomBytes(6).toString('hex')}`;
}

/** An open connection to a database of its own. When the test has finished, the database is dropped and it is closed. */
export async function createConnection(overrides: ConnectionOverrides = {}): Promise<Connection> {
  const { uri = inject('mongoUri'), database, base = mongoose, connect } = overrides;
  const connection = base.createConnection(uri, { dbName: database ?? freshDatabase(), ...connect });
  onTestFinished(async () => {
    if (database === undefined && connection.readyState === mongoose.ConnectionStates.connected)
      await connection.dropDatabase();
    await connection.close();
  });
  await connection.asPromise();
  return connection;
}

/**
 * An outbox on a fresh database, not yet initialised. When the test has finished, the outbox is closed, and what was
 * made for it is dropped and closed: the last made first.
 */
export async function createOutbox<Message extends OutboxMessage = TestMessage>(
  overrides: OutboxOverrides<Message> = {},
): Promise<TestOutbox<Message>> {
  const { name = 'Outbox', options, ...rest } = overrides;
  const schemas = overrides.schemas ?? (testSchemas as unknown as MessageSchemas<Message>);
  const connection = overrides.connection ?? (await createConnection(rest));
  const outbox = new ServiceOutbox<Message>(name, schemas, { connection, ...options });
  onTestFinished(() => outbox.close());
  return { outbox, connection, database: connection.name };
}

/** The first `count` of an iterable; stops it then. Waits for no longer than the test's own time limit. */
export async function collect<T>(iterable: AsyncIterable<T>, count: number): Promise<T[]> {
  const found: T[] = [];
  if (count === 0) return found;
  for await (const item of iterable) {
    found.push(item);
    if (found.length === count) break;
  }
  return found;
}

/** Everything of an iterable that ends by itself, such as `messages('beginning', { live: false })`. */
export async function collectAll<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of iterable) found.push(item);
  return found;
}

/** Polls until the condition gives something truthy, and returns that. @throws after the deadline, with the last error if there was one */
export async function waitFor<T>(condition: () => T | Promise<T>, deadlineMs = 10_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${deadlineMs} ms in vain for: ${condition.toString()}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
