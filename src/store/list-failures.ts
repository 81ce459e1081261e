import type { Failure, FailureFilter } from '../handler.js';
import type { OutboxMessage } from '../message.js';
import type { StoredEntry } from './read-log-page.js';
import { majority, writeMajority, type Document, type FindReply, type Store } from './store.js';

/** The documents that match all given fields. */
function toQuery(filter: FailureFilter): Document {
  const { consumer, state, type, key, ids, positions, after } = filter;
  const given = { consumer, state, type, key };
  const query: Document = {};
  for (const [field, value] of Object.entries(given)) if (value !== undefined) query[field] = value;
  if (ids !== undefined) query['id'] = { $in: ids };
  if (positions !== undefined) query['position'] = { $in: positions };
  if (after === undefined) return query;
  const { consumer: last, position } = after;
  const later =
    last === null
      ? { consumer: { $type: 'string' } }
      : { $or: [{ consumer: { $gt: last } }, { consumer: last, position: { $gt: position } }] };
  return { $and: [query, later] };
}

/** A failure as it is stored, its message not revived yet. */
export type StoredFailure = Omit<Failure<OutboxMessage>, 'message' | 'id'> & { entry: StoredEntry };

/**
 * Failures in order of consumer and position. Those that could never be appended come first and have neither, so none
 * of them can be told from the next: they are not cut by `limit`.
 */
export async function listFailures(store: Store, filter: FailureFilter, limit: number): Promise<StoredFailure[]> {
  const query = toQuery(filter);
  const find = async (more: Document, most: number): Promise<Document[]> => {
    const reply = await store.command({
      find: store.names.failures,
      filter: { $and: [query, more] },
      sort: { consumer: 1, position: 1 },
      ...(most === 0 ? {} : { limit: most, batchSize: most }),
      singleBatch: true,
      readConcern: majority,
    });
    return (reply as unknown as FindReply<Document>).cursor.firstBatch;
  };
  const refused = await find({ consumer: null, state: { $exists: true } }, 10_000);
  const rest = refused.length >= limit ? [] : await find({ consumer: { $type: 'string' } }, limit - refused.length);
  return [...refused, ...rest].map(toFailure);
}

function toFailure(document: Document): StoredFailure {
  const position = document['position'] === null ? null : Number(document['position']);
  const key = document['key'] as string | undefined;
  const failedAt = document['firstFailedAt'] as Date;
  const token = (document['_id'] as { token?: unknown }).token;
  return {
    consumer: document['consumer'] as string | null,
    position,
    type: document['type'] as string,
    ...(key === undefined ? {} : { key }),
    state: document['state'] as Failure['state'],
    attempts: Number(document['attempts']),
    nextAttemptAt: (document['nextAttemptAt'] as Date | null | undefined) ?? null,
    firstError: document['firstError'] as Failure['firstError'],
    lastError: document['lastError'] as Failure['lastError'],
    firstFailedAt: failedAt,
    lastFailedAt: document['lastFailedAt'] as Date,
    entry: {
      token,
      created: failedAt,
      data: {},
      ...(document['message'] as object),
      _id: position ?? 0,
    } as StoredEntry,
  };
}

/** Which consumers have failures that match. */
export async function consumersOfFailures(store: Store, filter: FailureFilter): Promise<string[]> {
  if (filter.consumer !== undefined) return [filter.consumer];
  const names = await store
    .collection('failures')
    .distinct('consumer', { ...toQuery(filter), consumer: { $type: 'string' } });
  return names as string[];
}

/** Lets failed messages be tried again at once, attempts starting anew. Queued ones come after those they wait for anyway. */
export async function retryFailures(store: Store, filter: FailureFilter, wtimeoutMs: number): Promise<number> {
  const query = { $and: [toQuery(filter), { consumer: { $type: 'string' }, state: { $in: ['dead', 'retrying'] } }] };
  const failures = store.collection('failures');
  const { matchedCount } = await failures.updateMany(
    await limited(store, query, filter.limit),
    [{ $set: { state: 'retrying', attempts: 0, nextAttemptAt: '$$NOW' } }],
    { writeConcern: writeMajority(wtimeoutMs) },
  );
  return matchedCount;
}

/** Deletes failures for good. */
export async function discardFailures(store: Store, filter: FailureFilter, wtimeoutMs: number): Promise<number> {
  const failures = store.collection('failures');
  const query = await limited(store, { $and: [toQuery(filter), { state: { $exists: true } }] }, filter.limit);
  const options = { writeConcern: writeMajority(wtimeoutMs) };
  // A message that was too large to be appended stands beside its record.
  const apart = await failures
    .find({ $and: [query, { 'message.dataIn': { $exists: true } }] }, { projection: { 'message.dataIn': 1 } })
    .toArray();
  const { deletedCount } = await failures.deleteMany(query, options);
  const messages = apart.map(({ message }) => (message as { dataIn: unknown }).dataIn);
  if (messages.length > 0) await failures.deleteMany({ _id: { $in: messages } } as Document, options);
  return deletedCount;
}

async function limited(store: Store, query: Document, limit: number | undefined): Promise<Document> {
  if (limit === undefined) return query;
  const found = await store
    .collection('failures')
    .find(query, { projection: { _id: 1 }, sort: { consumer: 1, position: 1 }, limit })
    .toArray();
  return { $and: [query, { _id: { $in: found.map(({ _id }) => _id) } }] };
}
