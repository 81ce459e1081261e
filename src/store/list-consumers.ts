import { consumerLease } from './consumer-checkpoint.js';
import type { Document, Store } from './store.js';

/** What is stored of a consumer, as a list shows it. */
export interface StoredConsumer {
  name: string;
  position: number;
  checkpointAt: Date;
  owner: string | null;
  epoch: number;
  /** Whether the owner's lease has not run out. */
  alive: boolean;
  renewedAt: Date | undefined;
  paused: { by?: string; reason?: string; at: Date } | null;
  /** What the owner, or the one before, last told. */
  report: Document | null;
  /** When the first message above the checkpoint entered the log. */
  oldestWaiting: Date | undefined;
  retrying: number;
  dead: number;
}

/** All registered consumers by name, the end of the log, and the server's time, in a few indexed queries. */
export async function readConsumers(
  store: Store,
  only?: string,
): Promise<{ consumers: StoredConsumer[]; newest: number; now: Date }> {
  const state = store.collection('state');
  const which = (prefix: string) =>
    only === undefined ? { $gte: `${prefix}:`, $lt: `${prefix};` } : { $eq: `${prefix}:${only}` };
  // First: what a checkpoint has passed since is then among the failures that are counted, and not nowhere.
  const documents = await state
    .aggregate([
      { $match: { $or: [{ _id: which('checkpoint') }, { _id: which('lease') }] } },
      { $addFields: { now: '$$NOW' } },
      { $sort: { _id: 1 } },
    ])
    .toArray();
  const [newest, counts] = await Promise.all([
    store.collection('log').findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } }),
    store
      .collection('failures')
      .aggregate([
        { $match: { consumer: only ?? { $type: 'string' } } },
        { $group: { _id: { consumer: '$consumer', state: '$state' }, count: { $sum: 1 } } },
      ])
      .toArray(),
  ]);
  const leases = new Map(documents.map((document) => [String(document['_id']), document]));
  const checkpoints = documents.filter(({ _id }) => String(_id).startsWith('checkpoint:'));
  const positions = checkpoints.map(({ position }) => Number(position) + 1);
  const waiting = await store
    .collection('log')
    .find({ _id: { $in: positions as never[] } }, { projection: { created: 1 } })
    .toArray();
  const createdAt = new Map(waiting.map((entry) => [Number(entry['_id']), entry['created'] as Date]));
  const consumers = checkpoints.map((checkpoint): StoredConsumer => {
    const name = String(checkpoint['consumer']);
    const lease = leases.get(consumerLease(name)) ?? {};
    const now = checkpoint['now'] as Date;
    const expiresAt = lease['expiresAt'] as Date | undefined;
    const count = (...states: string[]) =>
      counts
        .filter(({ _id }) => {
          const group = _id as { consumer: string; state: string };
          return group.consumer === name && states.includes(group.state);
        })
        .reduce((sum, group) => sum + Number(group['count']), 0);
    return {
      name,
      position: Number(checkpoint['position']),
      checkpointAt: checkpoint['updatedAt'] as Date,
      owner: (lease['owner'] as string | null | undefined) ?? null,
      epoch: Number(lease['epoch'] ?? 0),
      alive: (lease['owner'] ?? null) !== null && expiresAt !== undefined && expiresAt > now,
      renewedAt: lease['renewedAt'] as Date | undefined,
      paused: (lease['paused'] as StoredConsumer['paused'] | undefined) ?? null,
      report: (lease['report'] as Document | null | undefined) ?? null,
      oldestWaiting: createdAt.get(Number(checkpoint['position']) + 1),
      retrying: count('retrying', 'queued'),
      dead: count('dead'),
    };
  });
  const now = (documents[0]?.['now'] as Date | undefined) ?? new Date();
  return { consumers, newest: Number(newest?.['_id'] ?? 0), now };
}
