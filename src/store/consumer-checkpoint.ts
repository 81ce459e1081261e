import type { ClientSession } from 'mongoose';
import { serverCode } from '../errors.js';
import { inTransactionCollection } from './in-transaction.js';
import { toBigInt, type Int64 } from './int64.js';
import { endLeftSessions, type ClusterMoment } from './term-sessions.js';
import { writeMajority, type Document, type Store } from './store.js';

/** The `_id` of a consumer's lease in `<name>.state`. It outlives the consumer, so that an epoch never comes back. */
export const consumerLease = (consumer: string): string => `lease:${consumer}`;
/** The `_id` of a consumer's checkpoint in `<name>.state`: apart from the lease, since a renewal would conflict with it. */
export const consumerCheckpoint = (consumer: string): string => `checkpoint:${consumer}`;

/** Who writes a checkpoint: its write counts only while no later epoch has been written. */
export interface Fence {
  consumer: string;
  epoch: number;
  wtimeoutMs: number;
}

/** What a takeover finds. */
export interface Checkpoint {
  position: number;
  /** Running byte count of the log at the position. */
  bytes: bigint;
  /** The highest position that may have been begun; null after a peaceful end. */
  begun: number | null;
  /** Positions above the checkpoint that were handled. */
  handled: number[];
  /** What was being handled alone. */
  solo: { position: number; source: 'log' | 'failures' } | null;
  /** When it was taken over. */
  takenAt: ClusterMoment;
}

/** How long, in milliseconds, a takeover waits for a transaction of the owner before: it may be about to commit. */
const patienceMs = 200;
/** MaxTimeMSExpired. */
const maxTimeExpired = 50;

/** What a write of the checkpoint changes. */
export interface Progress {
  position: number;
  bytes: bigint;
  /** Null: nothing is in flight any more. */
  begun: number | null;
  handled: readonly number[];
  solo: Checkpoint['solo'];
  /** Number of the write in its term, from 1 on. */
  write: number;
  /** The position must be this still. */
  previous?: number;
}

/**
 * Writes the epoch into the checkpoint, only over a smaller one, and reads it: from then on no earlier owner can write.
 * @param lease the lease as it was acquired; it names the sessions of the owner before
 * @returns undefined when a later epoch has been written, or the consumer is not registered
 */
export async function takeOver(store: Store, fence: Fence, lease: Document): Promise<Checkpoint | undefined> {
  const session = store.session();
  try {
    return await takeOverIn(session, store, fence, lease);
  } finally {
    void session.endSession().catch(() => undefined);
  }
}

async function takeOverIn(
  session: ClientSession,
  store: Store,
  fence: Fence,
  lease: Document,
): Promise<Checkpoint | undefined> {
  const write = (options: { maxTimeMS?: number }) =>
    store
      .collection('state')
      .findOneAndUpdate(
        { _id: consumerCheckpoint(fence.consumer), epoch: { $lt: fence.epoch } } as Document,
        { $set: { epoch: fence.epoch, write: 0 }, $inc: { fence: 1 as never } },
        { returnDocument: 'after', writeConcern: writeMajority(fence.wtimeoutMs), session, ...options },
      );
  const checkpoint = await write({ maxTimeMS: patienceMs }).catch(async (error: unknown) => {
    if (serverCode(error) !== maxTimeExpired) throw error;
    await endLeftSessions(store, lease);
    return write({});
  });
  if (checkpoint === null) return undefined;
  const { operationTime, clusterTime } = session;
  const taken = { ...toCheckpoint(checkpoint), takenAt: { operationTime, clusterTime } };
  // A dead owner's transaction may hold records of the failures, or what its handler wrote, though not the checkpoint.
  if (taken.begun !== null) await endLeftSessions(store, lease).catch(() => undefined);
  return taken;
}

function toCheckpoint(document: Document): Omit<Checkpoint, 'takenAt'> {
  const { position, bytes, begun, handled, solo } = document;
  const alone = solo as { position: number; source: 'log' | 'failures' } | null | undefined;
  return {
    position: Number(position),
    bytes: toBigInt(bytes as Int64),
    begun: begun === null || begun === undefined ? null : Number(begun),
    handled: ((handled ?? []) as unknown[]).map(Number),
    solo: alone === null || alone === undefined ? null : { position: Number(alone.position), source: alone.source },
  };
}

/**
 * The fenced update: every write of a consumer is it, or begins (in the caller's transaction: ends) with it. It counts
 * up, since an update that changes nothing conflicts with nothing, and a takeover could slip in beside it.
 *
 * @returns false when the lease is another's by now
 */
export async function writeCheckpoint(
  store: Store,
  { consumer, epoch, wtimeoutMs }: Fence,
  progress: Progress,
  session?: ClientSession,
): Promise<boolean> {
  const { position, bytes, begun, handled, solo, write, previous } = progress;
  const reached = { position, bytes, ...(begun === null ? {} : { begun }) };
  const state = session === undefined ? store.collection('state') : inTransactionCollection(store, 'state');
  const { matchedCount } = await state.updateOne(
    {
      _id: consumerCheckpoint(consumer),
      epoch,
      // One that was given up on may still land after a later one: it must not bring back what was handled by then.
      write: { $lt: write },
      ...(previous === undefined ? {} : { position: previous }),
    } as Document,
    {
      $max: reached as never,
      $set: { handled, solo, write, ...(begun === null ? { begun } : {}) },
      $inc: { fence: 1 as never },
      $currentDate: { updatedAt: true as never },
    },
    session === undefined ? { writeConcern: writeMajority(wtimeoutMs) } : { session },
  );
  return matchedCount === 1;
}
