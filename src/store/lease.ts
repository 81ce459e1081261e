import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import { serverCode } from '../errors.js';
import { writeMajority, type Store } from './store.js';

/** Who asks for, or holds, a lease. */
export interface LeaseClaim {
  /** Which lease: a document's `_id` in `<name>.state`. */
  id: string;
  owner: string;
  leaseMs: number;
}

/** The answer to a claim: held, or for how long another holds it and at which cluster time that was seen. */
export type LeaseAnswer =
  | { held: true; epoch: number; serverNow: number }
  | { held: false; expiresInMs: number; seenAt: mongoose.mongo.Timestamp };

/**
 * Takes the lease if it is free, expired or the owner's already. The epoch rises by one when the lease changes hands.
 * Time is the server's (`$$NOW`), so clocks of processes do not matter.
 */
export async function acquireLease(store: Store, claim: LeaseClaim): Promise<LeaseAnswer> {
  const mine = { $eq: ['$owner', { $literal: claim.owner }] };
  const state = store.collection('state');
  const lease = await state.findOneAndUpdate(
    {
      _id: claim.id as never,
      $or: [{ owner: null }, { owner: claim.owner }, { $expr: { $lte: ['$expiresAt', '$$NOW'] } }],
    },
    [
      {
        $set: {
          epoch: { $cond: [mine, '$epoch', { $add: ['$epoch', 1] }] },
          owner: { $literal: claim.owner },
          renewedAt: '$$NOW',
          expiresAt: { $add: ['$$NOW', claim.leaseMs] },
        },
      },
    ],
    { returnDocument: 'after', writeConcern: writeMajority(claim.leaseMs) },
  );
  if (lease !== null)
    return { held: true, epoch: Number(lease['epoch']), serverNow: (lease['renewedAt'] as Date).getTime() };
  const session = store.session();
  try {
    const other = await readLease(store, claim.id, session);
    if (other !== undefined)
      return {
        held: false,
        expiresInMs: other.expiresInMs ?? 0,
        seenAt: session.operationTime as mongoose.mongo.Timestamp,
      };
  } finally {
    void session.endSession().catch(() => undefined);
  }
  await createLease(store, claim);
  return acquireLease(store, claim);
}

/** A free lease of epoch 0; the server allows no upsert with the time condition of `acquireLease`. */
async function createLease(store: Store, claim: LeaseClaim): Promise<void> {
  try {
    await store
      .collection('state')
      .insertOne({ _id: claim.id, owner: null, epoch: 0, expiresAt: new Date(0) } as never, {
        writeConcern: writeMajority(claim.leaseMs),
      });
  } catch (error) {
    if (serverCode(error) !== 11000) throw error;
  }
}

/** Holds the lease for another `leaseMs`. @returns the server's time, or undefined when the lease is another's now */
export async function renewLease(store: Store, claim: LeaseClaim, epoch: number): Promise<number | undefined> {
  const lease = await store
    .collection('state')
    .findOneAndUpdate(
      { _id: claim.id as never, owner: claim.owner, epoch },
      [{ $set: { renewedAt: '$$NOW', expiresAt: { $add: ['$$NOW', claim.leaseMs] } } }],
      { returnDocument: 'after', writeConcern: writeMajority(claim.leaseMs) },
    );
  return lease === null ? undefined : (lease['renewedAt'] as Date).getTime();
}

/** Gives the lease back, so that another process can take it at once. */
export async function releaseLease(store: Store, claim: LeaseClaim, epoch: number): Promise<void> {
  await store
    .collection('state')
    .updateOne(
      { _id: claim.id as never, owner: claim.owner, epoch },
      { $set: { owner: null, expiresAt: new Date(0) } },
      { writeConcern: writeMajority(claim.leaseMs) },
    );
}

/** Who holds a lease now; an expired one is nobody's. Undefined when nobody ever asked for it. */
export async function readLease(
  store: Store,
  id: string,
  session?: ClientSession,
): Promise<{ owner: string | null; epoch: number; expiresInMs: number | null } | undefined> {
  const [lease] = await store
    .collection('state')
    .aggregate(
      [
        { $match: { _id: id } },
        { $project: { owner: 1, epoch: 1, expiresInMs: { $subtract: ['$expiresAt', '$$NOW'] } } },
      ],
      session === undefined ? {} : { session: session },
    )
    .toArray();
  if (lease === undefined) return undefined;
  const expiresInMs = Number(lease['expiresInMs']);
  const held = lease['owner'] !== null && expiresInMs > 0;
  return {
    owner: held ? String(lease['owner']) : null,
    epoch: Number(lease['epoch']),
    expiresInMs: held ? expiresInMs : null,
  };
}
