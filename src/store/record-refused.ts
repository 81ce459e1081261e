import type { ClientSession } from 'mongoose';
import { serverCode } from '../errors.js';
import { deletePending } from './delete-pending.js';
import type { PendingDocument } from './read-pending.js';
import type { Document, Store } from './store.js';

const maxBsonBytes = 16 * 1024 * 1024;
const recordBytes = 64 * 1024;

/**
 * Takes a message that can never be appended out of pending, into `<name>.failures` with its reason. The record is
 * written first, under the token, so a crash between the two steps writes it once. A message too large to stand inside
 * a record is kept as a document of its own beside it.
 */
export async function recordRefused(
  store: Store,
  session: ClientSession,
  pending: PendingDocument,
  reason: string,
  wtimeoutMs: number,
): Promise<void> {
  const { _id: token, ts: _ts, ...message } = pending.fields;
  const fits = pending.size + recordBytes < maxBsonBytes;
  const { data: _data, ...envelope } = message;
  const now = new Date();
  const error = { name: 'OutboxError', message: reason };
  await insertOnce(
    store,
    session,
    {
      _id: { consumer: null, position: null, token },
      consumer: null,
      position: null,
      type: message['type'],
      ...(message['key'] === undefined ? {} : { key: message['key'] }),
      state: 'dead',
      attempts: 0,
      nextAttemptAt: null,
      firstError: error,
      lastError: error,
      firstFailedAt: now,
      lastFailedAt: now,
      message: fits ? message : { ...envelope, dataIn: token },
    },
    wtimeoutMs,
  );
  if (!fits) await insertOnce(store, session, pending.fields, wtimeoutMs);
  await deletePending(store, session, [token], wtimeoutMs);
}

async function insertOnce(store: Store, session: ClientSession, document: Document, wtimeoutMs: number): Promise<void> {
  const reply = await store.command(
    { insert: store.names.failures, documents: [document], writeConcern: { w: 'majority', wtimeout: wtimeoutMs } },
    { session },
  );
  const failure = (reply['writeErrors'] as { code: number }[] | undefined)?.[0];
  if (failure !== undefined && serverCode(failure) !== 11000)
    throw Object.assign(new Error(`the record in ${store.names.failures} failed: server error ${failure.code}`), {
      code: failure.code,
    });
}
