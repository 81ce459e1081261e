import { readFloor } from './floor.js';
import { toBigInt, type Int64 } from './int64.js';
import { readLease } from './lease.js';
import { readOldest } from './log-bounds.js';
import { readLogStats } from './read-log-stats.js';
import type { Store } from './store.js';

/** Figures of pending: how many messages wait to be moved, and for how long the oldest has. */
export async function readPendingStatus(store: Store): Promise<{ count: number; oldestMs: number | null }> {
  const pending = store.collection('pending');
  const [count, oldest] = await Promise.all([
    pending.countDocuments({}, { hint: { ts: 1, _id: 1 } }),
    pending.aggregate([{ $sort: { ts: 1, _id: 1 } }, { $limit: 1 }, { $project: { ts: 1, now: '$$NOW' } }]).toArray(),
  ]);
  const first = oldest[0] as { ts?: { high: number }; now: Date } | undefined;
  // A cluster time has whole seconds, so a message of this second would be younger than nothing.
  const oldestMs = first === undefined ? null : Math.max(0, first.now.getTime() - (first.ts?.high ?? 0) * 1_000);
  return { count, oldestMs };
}

/** Figures of the log; stray entries are in none of them. */
export async function readLogStatus(store: Store): Promise<{
  first: number;
  last: number;
  entries: number;
  bytes: number;
  sizeBytes: number;
  maxMessages: number | null;
  heldBy: string | null;
}> {
  const [cap, floor] = await Promise.all([readLogStats(store), readFloor(store)]);
  const limits = {
    sizeBytes: cap.sizeBytes,
    maxMessages: cap.maxMessages ?? null,
    heldBy: floor?.heldBy ?? null,
  };
  const log = store.collection('log');
  const [oldest, newest] = await Promise.all([
    readOldest(store),
    log.findOne({}, { sort: { _id: -1 }, projection: { bytes: 1 } }),
  ]);
  const last = Number(newest?.['_id'] ?? 0);
  const first = Math.max(1, oldest?.position ?? 0);
  if (newest === null || last === 0) return { first: 0, last: 0, entries: 0, bytes: 0, ...limits };
  const [start] = await log
    .aggregate([{ $match: { _id: first } }, { $project: { bytes: 1, size: { $bsonSize: '$$ROOT' } } }])
    .toArray();
  // Overwritten between the two reads: one entry's size is then missing from the figure.
  const before = start === undefined ? 0n : toBigInt(start['bytes'] as Int64) - toBigInt(start['size'] as Int64);
  return {
    first,
    last,
    entries: last - first + 1,
    bytes: Number(toBigInt(newest['bytes'] as Int64) - before),
    ...limits,
  };
}

/** Who is the sequencer. */
export async function readSequencerStatus(
  store: Store,
  leaseId: string,
): Promise<{ owner: string | null; epoch: number; expiresInMs: number | null }> {
  const lease = await readLease(store, leaseId);
  return { owner: lease?.owner ?? null, epoch: lease?.epoch ?? 0, expiresInMs: lease?.expiresInMs ?? null };
}

/** The server's time. */
export async function readServerTime(store: Store): Promise<Date> {
  const [answer] = await store
    .collection('log')
    .aggregate([{ $limit: 1 }, { $project: { _id: 0, now: '$$NOW' } }])
    .toArray();
  return (answer?.['now'] as Date | undefined) ?? new Date();
}
