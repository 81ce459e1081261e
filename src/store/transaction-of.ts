import type { ClientSession, Connection } from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import { baseOf } from '../internal/base-of.js';
import type { Database } from './store.js';

/** What the driver keeps about a session beside its declared interface. */
type SessionInside = ClientSession & {
  client?: unknown;
  serverSession?: { txnNumber?: number };
  txnNumberIncrement?: number;
};

/** The session that mongoose's `connection.transaction` carries, where `transactionAsyncLocalStorage` is on. */
export function mongooseSession(connection: Connection): ClientSession | undefined {
  const base = baseOf(connection) as unknown as {
    transactionAsyncLocalStorage?: { getStore(): { session?: ClientSession } | undefined };
  };
  return base.transactionAsyncLocalStorage?.getStore()?.session;
}

/** How the error texts speak of the call whose session is checked. */
export interface SessionUser {
  readonly call: string;
  /** What the call takes as its session. */
  readonly takes: string;
  /** Whose connection the session must be of. */
  readonly owner: 'outbox' | 'inbox';
  /** What else the caller of a call without a transaction may have meant. */
  readonly otherwise: string;
}

export const putSession: SessionUser = {
  call: 'put',
  takes: 'a ClientSession, null, or nothing where the session is ambient',
  owner: 'outbox',
  otherwise: '; pass null to put outside any transaction on purpose',
};

export const onceSession: SessionUser = {
  call: 'once',
  takes: 'the ClientSession of the transaction that the work belongs to',
  owner: 'inbox',
  otherwise: '',
};

/**
 * Refuses a session that can't make the call atomic: no session at all, an ended one, one of another client, one without
 * an active transaction.
 * @returns the same check for later, which also refuses when that transaction is over: a call that was not awaited must
 * not go into the next transaction of the session, nor outside any
 */
export function checkTransaction(database: Database, session: ClientSession, user: SessionUser): () => void {
  checkActive(database, session, user);
  const transaction = transactionOf(session);
  return () => {
    checkActive(database, session, user);
    if (transactionOf(session) !== transaction)
      throw noTransaction(`the transaction that ${user.call} was called in has ended meanwhile`, user);
  };
}

/** Names one transaction of a session: the next one, and a retry of `withTransaction`, have another. */
function transactionOf(session: ClientSession): unknown {
  const inside = session as SessionInside;
  return (inside.serverSession?.txnNumber ?? 0) + (inside.txnNumberIncrement ?? 0);
}

function checkActive(database: Database, session: unknown, user: SessionUser): void {
  const { call, owner } = user;
  const inside = session as SessionInside;
  if (typeof session !== 'object' || session === null || typeof inside.inTransaction !== 'function') {
    throw new OutboxError('INVALID_SESSION', `${call} takes ${user.takes}: got ${shown(session)}`);
  }
  if (inside.hasEnded)
    throw new OutboxError(
      'INVALID_SESSION',
      `the session given to ${call} has ended: call ${call} inside the callback of connection.transaction or session.withTransaction`,
    );
  if (inside.client !== undefined && inside.client !== database.client) {
    throw new OutboxError(
      'INVALID_SESSION',
      `the session given to ${call} belongs to another connection than the ${owner}: start it from the connection that the ${owner} was made with`,
    );
  }
  if (!inside.inTransaction()) throw noTransaction(`the session given to ${call} has no active transaction`, user);
}

export function noTransaction(what: string, { call, otherwise }: SessionUser): OutboxError {
  return new OutboxError(
    'NO_TRANSACTION',
    `${what}: call ${call} inside connection.transaction(async (session) => …) and await it there${otherwise}`,
  );
}
