import type { ClientSession, Connection } from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import type { Store } from './store.js';

/** What the driver keeps about a session beside its declared interface. */
type SessionInside = ClientSession & {
  client?: unknown;
  serverSession?: { txnNumber?: number };
  txnNumberIncrement?: number;
};

/** The session that mongoose's `connection.transaction` carries, where `transactionAsyncLocalStorage` is on. */
export function mongooseSession(connection: Connection): ClientSession | undefined {
  const base = connection.base as unknown as {
    transactionAsyncLocalStorage?: { getStore(): { session?: ClientSession } | undefined };
  };
  return base.transactionAsyncLocalStorage?.getStore()?.session;
}

/** Names one transaction of a session: the next one, and a retry of `withTransaction`, have another. */
export function transactionOf(session: ClientSession): unknown {
  const inside = session as SessionInside;
  return (inside.serverSession?.txnNumber ?? 0) + (inside.txnNumberIncrement ?? 0);
}

/**
 * Refuses a session that can't make the put atomic: no session at all, an ended one, one of another client, one without
 * an active transaction.
 */
export function checkTransaction(store: Store, session: unknown): asserts session is ClientSession {
  const inside = session as SessionInside;
  if (typeof session !== 'object' || session === null || typeof inside.inTransaction !== 'function') {
    throw new OutboxError(
      'INVALID_SESSION',
      `put takes a ClientSession, null, or nothing where the session is ambient: got ${shown(session)}`,
    );
  }
  if (inside.hasEnded)
    throw new OutboxError(
      'INVALID_SESSION',
      'the session given to put has ended: put inside the callback of connection.transaction or session.withTransaction',
    );
  if (inside.client !== undefined && inside.client !== store.client) {
    throw new OutboxError(
      'INVALID_SESSION',
      'the session given to put belongs to another connection than the outbox: start it from the connection that the outbox was made with',
    );
  }
  if (!inside.inTransaction()) throw noTransaction('the session given to put has no active transaction');
}

export function noTransaction(what: string): OutboxError {
  return new OutboxError(
    'NO_TRANSACTION',
    `${what}: put inside connection.transaction(async (session) => …) and await it there; pass null to put outside any transaction on purpose`,
  );
}
