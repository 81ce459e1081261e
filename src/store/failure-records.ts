import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import type { ErrorInfo } from '../handler.js';
import type { Fence } from './consumer-checkpoint.js';
import { inTransactionCollection } from './in-transaction.js';
import type { StoredEntry } from './read-log-page.js';
import type { TermReads } from './term-sessions.js';
import { exactBson, majority, type Document, type FindReply, type Store } from './store.js';

/** A change to the failures of one consumer. */
export type FailureWrite =
  /** The message at a position of the log fails, or queues up behind one of its key that does. */
  | {
      kind: 'add';
      position: number;
      state: 'retrying' | 'queued' | 'dead';
      attempts: number;
      nextAttemptAt: Date | null;
      error: ErrorInfo | null;
      at: Date;
    }
  /** It failed again. */
  | {
      kind: 'fail';
      position: number;
      state: 'retrying' | 'dead';
      attempts: number;
      nextAttemptAt: Date | null;
      error: ErrorInfo;
      at: Date;
    }
  /** It was handled. */
  | { kind: 'remove'; position: number }
  /** It is about to be run, together with others. */
  | { kind: 'begin'; position: number }
  /** It was about to be run, and was not. */
  | { kind: 'unbegin'; position: number }
  /** Nothing is in flight any more. */
  | { kind: 'unbegin all' };

/** A failure as the consumer that owns it reads it. */
export interface FailureRecord {
  position: number;
  key: string | undefined;
  state: 'retrying' | 'queued' | 'dead';
  attempts: number;
  nextAttemptAt: Date | null;
  /** Whether an earlier epoch had begun to run it. */
  begun: boolean;
  entry: StoredEntry;
}

/** Fields of a log entry that its failure does not carry over. */
const logFields = ['_id', 'bytes', 'epoch', 'last'];

/**
 * Prepares the writes: what is added is copied from the log, BSON types as they are, since a handler may have changed
 * what it was given. @returns what runs them in a transaction, any number of times
 */
export async function writeFailures(
  store: Store,
  { consumer, epoch }: Fence,
  writes: readonly FailureWrite[],
): Promise<(session: ClientSession) => Promise<void>> {
  const entries = await readExactEntries(
    store,
    writes.flatMap((write) => (write.kind === 'add' ? [write.position] : [])),
  );
  const operations = writes.map((write): mongoose.mongo.AnyBulkWriteOperation<Document> => {
    if (write.kind === 'unbegin all')
      return {
        updateMany: { filter: { consumer, begun: { $exists: true } }, update: { $unset: { begun: '' } } },
      };
    const filter = { _id: { consumer, position: write.position } as never };
    if (write.kind === 'remove') return { deleteOne: { filter } };
    if (write.kind === 'begin') return { updateOne: { filter, update: { $set: { begun: epoch } } } };
    if (write.kind === 'unbegin') return { updateOne: { filter, update: { $unset: { begun: '' } } } };
    const { state, attempts, nextAttemptAt, error, at } = write;
    if (write.kind === 'fail') {
      const set = { state, attempts, nextAttemptAt, lastError: error, lastFailedAt: at };
      // A queued message that is run and fails had no error yet.
      const first = { firstError: { $ifNull: ['$firstError', { $literal: error }] } };
      return { updateOne: { filter, update: [{ $set: { ...literal(set), ...first } }, { $unset: 'begun' }] } };
    }
    const entry = entries.get(write.position);
    if (entry === undefined)
      throw new Error(`position ${write.position} is not in the log ${store.names.log} any more`);
    const document = {
      consumer,
      position: write.position,
      ...describe(entry),
      state,
      attempts,
      nextAttemptAt,
      firstError: error,
      lastError: error,
      firstFailedAt: at,
      lastFailedAt: at,
      message: entry,
    };
    return { updateOne: { filter, update: { $setOnInsert: document as never }, upsert: true } };
  });
  return async (session) => {
    await inTransactionCollection(store, 'failures').bulkWrite(operations, { ordered: true, session });
  };
}

function literal(fields: Document): Document {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, { $literal: value }]));
}

/** What lists and filters look at. */
function describe(entry: Document): Document {
  const { type, key, id, token } = entry;
  const own = id ?? (token as { toHexString?: () => string } | undefined)?.toHexString?.();
  return { type, ...(key === undefined ? {} : { key }), ...(own === undefined ? {} : { id: own }) };
}

async function readExactEntries(store: Store, positions: readonly number[]): Promise<Map<number, Document>> {
  if (positions.length === 0) return new Map();
  const found = await store.db
    .collection<Document>(store.names.log, { ...exactBson, readPreference: 'primary', readConcern: majority })
    .find({ _id: { $in: positions as never[] } }, { batchSize: positions.length, timeoutMS: 0 })
    .toArray();
  const entries = new Map<number, Document>();
  for (const entry of found) {
    const position = Number(String(entry['_id']));
    for (const field of logFields) delete entry[field];
    entries.set(position, entry);
  }
  return entries;
}

/** Which messages of the log in this range have a failure of the consumer: they are passed over. */
export async function readFailedPositions(
  { store, reading }: TermReads,
  consumer: string,
  first: number,
  last: number,
): Promise<Set<number>> {
  const found = await store
    .collection('failures')
    .find(
      { consumer, position: { $gte: first, $lte: last } },
      { projection: { _id: 0, position: 1 }, session: reading },
    )
    .toArray();
  return new Set(found.map(({ position }) => Number(position)));
}

/** The highest position that has a failure of the consumer; 0 without any. */
export async function readHighestFailure({ store, reading }: TermReads, consumer: string): Promise<number> {
  const found = await store
    .collection('failures')
    .findOne({ consumer }, { sort: { position: -1 }, projection: { position: 1 }, session: reading });
  return Number(found?.['position'] ?? 0);
}

/** A key with failures that its later messages wait for. */
export interface BlockedKey {
  /** Undefined for messages without a key. */
  key: string | undefined;
  /** Whether one of them has a time at which it is run. */
  scheduled: boolean;
}

/** The keys whose later messages wait for failures; with `deadBlocks` also those that have only dead letters. */
export async function readBlockedKeys(
  { store, reading }: TermReads,
  consumer: string,
  deadBlocks: boolean,
): Promise<BlockedKey[]> {
  const states = ['retrying', 'queued', ...(deadBlocks ? ['dead'] : [])];
  const groups = await store
    .collection('failures')
    .aggregate(
      [
        { $match: { consumer, state: { $in: states } } },
        { $group: { _id: '$key', scheduled: { $max: { $eq: ['$state', 'retrying'] } } } },
      ],
      { session: reading },
    )
    .toArray();
  return groups.map(({ _id, scheduled }) => ({
    key: typeof _id === 'string' ? _id : undefined,
    scheduled: scheduled === true,
  }));
}

/** Failures that are due, the earliest first, those at the positions `except` left out. */
export async function readDue(
  reads: TermReads,
  consumer: string,
  now: Date,
  limit: number,
  except: readonly number[],
): Promise<FailureRecord[]> {
  const filter = { consumer, state: 'retrying', nextAttemptAt: { $lte: now }, position: { $nin: except } };
  return read(reads, filter, { nextAttemptAt: 1 }, limit);
}

/** When the next failure is due, of those later than `after`; undefined when none is scheduled. */
export async function readNextDue(
  { store, reading }: TermReads,
  consumer: string,
  after: Date = new Date(0),
): Promise<Date | undefined> {
  const next = await store
    .collection('failures')
    .findOne(
      { consumer, state: 'retrying', nextAttemptAt: { $gt: after } },
      { sort: { nextAttemptAt: 1 }, projection: { nextAttemptAt: 1 }, session: reading },
    );
  return (next?.['nextAttemptAt'] as Date | undefined) ?? undefined;
}

/** The failure at a position, unless it is a dead letter. */
export async function readRecord(
  reads: TermReads,
  consumer: string,
  position: number,
): Promise<FailureRecord | undefined> {
  const filter = { consumer, position, state: { $in: ['retrying', 'queued'] } };
  return (await read(reads, filter, { position: 1 }, 1))[0];
}

/** Positions of failures that an owner before `epoch` had begun to run when it died. */
export async function readBegunRecords(
  { store, reading }: TermReads,
  consumer: string,
  epoch: number,
): Promise<number[]> {
  const found = await store
    .collection('failures')
    .find(
      { consumer, begun: { $lt: epoch }, state: { $ne: 'dead' } },
      { projection: { position: 1 }, session: reading },
    )
    .toArray();
  return found.map(({ position }) => Number(position));
}

/** The first failures of a key (of the consumer, without one), in log order; dead letters among them only with `withDead`. */
export async function readFirstOfLane(
  reads: TermReads,
  consumer: string,
  key: string | undefined,
  withDead: boolean,
  limit: number,
): Promise<FailureRecord[]> {
  const states = ['retrying', 'queued', ...(withDead ? ['dead'] : [])];
  const lane = key === undefined ? {} : { key };
  return read(reads, { consumer, ...lane, state: { $in: states } }, { position: 1 }, limit);
}

async function read(
  { store, reading }: TermReads,
  filter: Document,
  sort: Document,
  limit: number,
): Promise<FailureRecord[]> {
  const reply = await store.command(
    {
      find: store.names.failures,
      filter,
      sort,
      limit,
      batchSize: limit,
      singleBatch: true,
      readConcern: majority,
    },
    { session: reading },
  );
  return (reply as unknown as FindReply<Document>).cursor.firstBatch.map(toRecord);
}

function toRecord(document: Document): FailureRecord {
  const position = Number(document['position']);
  return {
    position,
    key: document['key'] as string | undefined,
    state: document['state'] as FailureRecord['state'],
    attempts: Number(document['attempts']),
    nextAttemptAt: document['nextAttemptAt'] as Date | null,
    begun: document['begun'] !== undefined,
    entry: { ...(document['message'] as object), _id: position } as StoredEntry,
  };
}
