import type { ClientSession, Connection } from 'mongoose';
import { onTestFinished } from 'vitest';

import { Inbox, type InboxOptions } from '../../src/index.js';
import { createConnection, type ConnectionOverrides } from './create-outbox.js';

export interface InboxOverrides extends ConnectionOverrides {
  /** @defaultValue 'Inbox' */
  name?: string;
  /** Everything but the connection. */
  options?: Omit<InboxOptions, 'connection'>;
  /** A connection that the caller made, and closes. @defaultValue one of its own */
  connection?: Connection;
}

export interface TestInbox {
  inbox: Inbox;
  connection: Connection;
  /** Makes work that leaves one effect of this name, in the transaction. */
  effect(name: string, session: ClientSession): () => Promise<string>;
  /** The names of all committed effects, in alphabetical order. */
  effects(): Promise<string[]>;
  /** The ids that are remembered, in alphabetical order. */
  ids(): Promise<string[]>;
}

/** An inbox on a fresh database, not yet initialised, beside a collection that takes the effects of messages. */
export async function createInbox(overrides: InboxOverrides = {}): Promise<TestInbox> {
  const { name = 'Inbox', options, ...rest } = overrides;
  const connection = overrides.connection ?? (await createConnection(rest));
  const inbox = new Inbox(name, { connection, ...options });
  const collection = connection.collection<{ name: string }>('effects');
  await connection.createCollection('effects');
  return {
    inbox,
    connection,
    effect: (name, session) => async () => {
      await collection.insertOne({ name }, { session });
      return name;
    },
    effects: async () => (await collection.find().toArray()).map(({ name }) => name).sort(),
    ids: async () =>
      (await connection.collection(`${name}.inbox`).find().toArray()).map(({ _id }) => String(_id)).sort(),
  };
}

/** A session; ended when the test has finished. */
export async function startSession(connection: Connection): Promise<ClientSession> {
  const session = await connection.startSession();
  onTestFinished(() => session.endSession());
  return session;
}
