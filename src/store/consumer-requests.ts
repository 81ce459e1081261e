import { consumerCheckpoint, consumerLease, type Fence } from './consumer-checkpoint.js';
import { touchingFloor } from './floor.js';
import type { LogMark } from './log-marks.js';
import { inTransaction, inTransactionCollection } from './in-transaction.js';
import type { LeaseClaim } from './lease.js';
import { writeMajority, type Document, type Store } from './store.js';

/** Why and by whom a consumer is paused. */
export interface PauseNote {
  by?: string;
  reason?: string;
}

/**
 * Asks the owner of a consumer to give its lease back, and everybody else to leave it to this request for `holdMs`. Asking
 * again lengthens that. With `pause` the consumer is paused from now on.
 *
 * @returns `other`: another request is being served; `unknown`: there is no such lease
 */
export async function placeRequest(
  store: Store,
  consumer: string,
  id: string,
  holdMs: number,
  pause?: PauseNote,
): Promise<'placed' | 'other' | 'unknown'> {
  const _id = consumerLease(consumer) as never;
  const state = store.collection('state');
  const paused = pause === undefined ? {} : { paused: { $mergeObjects: [{ $literal: pause }, { at: '$$NOW' }] } };
  const { matchedCount } = await state.updateOne(
    { _id, $or: [{ request: null }, { 'request.id': id }, { $expr: { $lte: ['$request.until', '$$NOW'] } }] },
    [{ $set: { request: { id: { $literal: id }, until: { $add: ['$$NOW', holdMs] } }, ...paused } }],
    { writeConcern: writeMajority(holdMs) },
  );
  if (matchedCount === 1) return 'placed';
  return (await state.findOne({ _id }, { projection: { _id: 1 } })) === null ? 'unknown' : 'other';
}

/** Ends a request, and gives the lease back where it was taken in its name. */
export async function endRequest(store: Store, claim: LeaseClaim): Promise<void> {
  const state = store.collection('state');
  const options = { writeConcern: writeMajority(claim.leaseMs) };
  const freed = { $inc: { freed: 1 as never } };
  const _id = claim.id as never;
  await state.updateOne(
    { _id, owner: claim.owner, 'request.id': claim.request },
    { $set: { owner: null, expiresAt: new Date(0) } },
    options,
  );
  await state.updateOne({ _id, 'request.id': claim.request }, { $set: { request: null }, ...freed }, options);
}

/** Lets a paused consumer go on. @returns false when there is no such consumer */
export async function unpause(store: Store, consumer: string, wtimeoutMs: number): Promise<boolean> {
  const { matchedCount } = await store
    .collection('state')
    .updateOne(
      { _id: consumerLease(consumer) as never },
      { $set: { paused: null }, $inc: { freed: 1 as never } },
      { writeConcern: writeMajority(wtimeoutMs) },
    );
  return matchedCount === 1;
}

/** Tells the owner, at its next renewal, that failures were changed from outside. */
export async function noteFailuresChanged(
  store: Store,
  consumers: readonly string[],
  wtimeoutMs: number,
): Promise<void> {
  await store
    .collection('state')
    .updateMany(
      { _id: { $in: consumers.map(consumerLease) as never[] } },
      { $inc: { failuresChanged: 1 as never } },
      { writeConcern: writeMajority(wtimeoutMs) },
    );
}

/** How often `noteFailuresChanged` was called for this lease. */
export function failuresChanged(lease: Document): number {
  return Number(lease['failuresChanged'] ?? 0);
}

/** Whether the owner is asked to give the lease back. */
export function isAskedBack(lease: Document): boolean {
  return (lease['request'] ?? null) !== null || (lease['paused'] ?? null) !== null;
}

/**
 * Sets the checkpoint, and clears the failures from there on that are not dead.
 * @returns the floor, where the position is below it: then nothing was changed; undefined when the consumer is gone
 */
export async function moveCheckpoint(
  store: Store,
  { consumer, epoch, wtimeoutMs }: Fence,
  to: LogMark,
): Promise<'moved' | { belowFloor: LogMark } | undefined> {
  return touchingFloor(store, wtimeoutMs, async (session, floor) => {
    if (to.position < floor.position) return { belowFloor: floor };
    const { matchedCount } = await inTransactionCollection(store, 'state').updateOne(
      { _id: consumerCheckpoint(consumer), epoch } as Document,
      {
        $set: { position: to.position, bytes: to.bytes, begun: null, handled: [], solo: null } as never,
        $inc: { fence: 1 as never },
        $currentDate: { updatedAt: true as never },
      },
      { session },
    );
    if (matchedCount === 0) return undefined;
    await inTransactionCollection(store, 'failures').deleteMany(
      { consumer, position: { $gt: to.position }, state: { $ne: 'dead' } },
      { session },
    );
    return 'moved' as const;
  });
}

/** Deletes the checkpoint and the failures; the lease stays, so that an epoch never comes back. */
export async function deleteConsumer(store: Store, { consumer, epoch, wtimeoutMs }: Fence): Promise<boolean> {
  return inTransaction(store, wtimeoutMs, async (session) => {
    const state = inTransactionCollection(store, 'state');
    const { deletedCount } = await state.deleteOne({ _id: consumerCheckpoint(consumer), epoch } as Document, {
      session,
    });
    if (deletedCount === 0) return false;
    await inTransactionCollection(store, 'failures').deleteMany({ consumer }, { session });
    await state.updateOne(
      { _id: consumerLease(consumer) as never },
      { $set: { paused: null, report: null }, $inc: { removals: 1 as never } },
      { session },
    );
    return true;
  });
}
