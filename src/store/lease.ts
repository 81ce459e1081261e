import type mongoose from 'mongoose';
import type { ClientSession } from 'mongoose';
import { serverCode } from '../errors.js';
import { writeMajority, type Document, type Store } from './store.js';

/** Who asks for, or holds, a lease. */
export interface LeaseClaim {
  /** Which lease: a document's `_id` in `<name>.state`. */
  id: string;
  owner: string;
  leaseMs: number;
  /** The request (see store/requests.ts) in whose name the lease is taken; everybody else waits until it is served. */
  request?: string;
}

/** The answer to a claim: held, or for how long it can't be had and at which cluster time that was seen. */
export type LeaseAnswer =
  | { held: true; epoch: number; serverNow: number; lease: Document }
  | { held: false; expiresInMs: number; seenAt: mongoose.mongo.Timestamp; lease: Document };

/**
 * Takes the lease if it is free or expired, and neither paused nor asked for by a request. Every acquisition raises the
 * epoch by one. Time is the server's (`$$NOW`), so clocks of processes do not matter.
 */
export async function acquireLease(store: Store, claim: LeaseClaim): Promise<LeaseAnswer> {
  const state = store.collection('state');
  const free = { $or: [{ owner: null }, { $expr: { $lte: ['$expiresAt', '$$NOW'] } }] };
  const allowed =
    claim.request === undefined
      ? { paused: null, $or: [{ request: null }, { $expr: { $lte: ['$request.until', '$$NOW'] } }] }
      : { 'request.id': claim.request };
  const lease = await state.findOneAndUpdate(
    { _id: claim.id as never, $and: [free, allowed] },
    [
      {
        $set: {
          epoch: { $add: ['$epoch', 1] },
          owner: { $literal: claim.owner },
          // One whose caller died is over; it would ask every later owner to give the lease back.
          request: claim.request === undefined ? null : '$request',
          renewedAt: '$$NOW',
          expiresAt: { $add: ['$$NOW', claim.leaseMs] },
        },
      },
    ],
    { returnDocument: 'after', writeConcern: writeMajority(claim.leaseMs) },
  );
  if (lease !== null)
    return { held: true, epoch: Number(lease['epoch']), serverNow: (lease['renewedAt'] as Date).getTime(), lease };
  const session = store.session();
  try {
    const other = await readLease(store, claim.id, session);
    // Given back between the two: no later change would end the wait.
    if (other?.owner === null && isOpenTo(claim, other.lease)) return await acquireLease(store, claim);
    if (other !== undefined)
      return {
        held: false,
        // One that is paused, or asked for by a request, is waited for as long as a lease; a change ends the wait.
        expiresInMs: other.expiresInMs ?? claim.leaseMs,
        seenAt: session.operationTime as mongoose.mongo.Timestamp,
        lease: other.lease,
      };
  } finally {
    void session.endSession().catch(() => undefined);
  }
  await createLease(store, claim.id, claim.leaseMs);
  return acquireLease(store, claim);
}

/** Whether neither a pause nor a request of somebody else keeps the claim from the lease. */
function isOpenTo(claim: LeaseClaim, lease: Document): boolean {
  const request = lease['request'] as { id?: unknown } | null | undefined;
  if (claim.request !== undefined) return request?.id === claim.request;
  return (request ?? null) === null && (lease['paused'] ?? null) === null;
}

/** A free lease of epoch 0, unless there is one; the server allows no upsert with the time condition of `acquireLease`. */
export async function createLease(store: Store, id: string, wtimeoutMs: number): Promise<void> {
  try {
    await store.collection('state').insertOne({ _id: id, owner: null, epoch: 0, expiresAt: new Date(0) } as never, {
      writeConcern: writeMajority(wtimeoutMs),
    });
  } catch (error) {
    if (serverCode(error) !== 11000) throw error;
  }
}

/**
 * Holds the lease for another `leaseMs`, and leaves `report` in its document.
 * @returns the document, whose `renewedAt` is the server's time, or undefined when the lease is another's now
 */
export async function renewLease(
  store: Store,
  claim: LeaseClaim,
  epoch: number,
  report: Document = {},
): Promise<Document | undefined> {
  const set: Document = { renewedAt: '$$NOW', expiresAt: { $add: ['$$NOW', claim.leaseMs] } };
  for (const [field, value] of Object.entries(report)) set[field] = { $literal: value };
  const lease = await store
    .collection('state')
    .findOneAndUpdate({ _id: claim.id, owner: claim.owner, epoch } as Document, [{ $set: set }], {
      returnDocument: 'after',
      writeConcern: writeMajority(claim.leaseMs),
    });
  return lease ?? undefined;
}

/** The server's time of a lease that was just acquired or renewed, in milliseconds since 1970. */
export function renewedAt(lease: Document): number {
  return (lease['renewedAt'] as Date).getTime();
}

/** Gives the lease back, and leaves `report` in its document; another process can take it at once. */
export async function releaseLease(
  store: Store,
  claim: LeaseClaim,
  epoch: number,
  report: Document = {},
): Promise<void> {
  await store
    .collection('state')
    .updateOne(
      { _id: claim.id as never, owner: claim.owner, epoch },
      { $set: { ...report, owner: null, expiresAt: new Date(0) }, $inc: { freed: 1 as never } },
      { writeConcern: writeMajority(claim.leaseMs) },
    );
}

/** Who holds a lease now; an expired one is nobody's. Undefined when nobody ever asked for it. */
export async function readLease(
  store: Store,
  id: string,
  session?: ClientSession,
): Promise<
  { owner: string | null; epoch: number; expiresInMs: number | null; now: Date; lease: Document } | undefined
> {
  const [lease] = await store
    .collection('state')
    .aggregate(
      [{ $match: { _id: id } }, { $addFields: { expiresInMs: { $subtract: ['$expiresAt', '$$NOW'] }, now: '$$NOW' } }],
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
    now: lease['now'] as Date,
    lease,
  };
}
