import type { LogMark } from './log-marks.js';
import { serverCode } from '../errors.js';
import { consumerCheckpoint, consumerLease } from './consumer-checkpoint.js';
import { touchingFloor } from './floor.js';
import { inTransactionCollection } from './in-transaction.js';
import { toBigInt, type Int64 } from './int64.js';
import { createLease } from './lease.js';
import type { Document, Store } from './store.js';

/** Options of a consumer that can't change while it exists. */
export interface FixedOptions {
  order: 'key' | 'strict';
  transactional: boolean;
}

/**
 * Registers a consumer at `start`, unless it exists: from then on the log keeps what is after its checkpoint.
 *
 * @param mayClamp whether it may start at the floor where the log was overwritten beyond `start` meanwhile
 * @returns its fixed options and how often a consumer of this name was removed; or the floor that `start` is below
 */
export async function registerConsumer(
  store: Store,
  consumer: string,
  fixed: FixedOptions,
  start: LogMark,
  mayClamp: boolean,
  wtimeoutMs: number,
): Promise<'registered' | { belowFloor: LogMark }> {
  await createLease(store, consumerLease(consumer), wtimeoutMs);
  try {
    // Conflicts with the sequencer raising the floor: it reads all checkpoints, this one included, or is read here.
    return await touchingFloor(store, wtimeoutMs, async (session, floor) => {
      if (start.position < floor.position && !mayClamp) return { belowFloor: floor };
      const { position, bytes } = start.position < floor.position ? floor : start;
      const state = inTransactionCollection(store, 'state');
      const lease = await state.findOne({ _id: consumerLease(consumer) as never }, { session });
      await state.insertOne(
        {
          _id: consumerCheckpoint(consumer),
          consumer,
          ...fixed,
          // Whoever was elected before, for a consumer of this name that was removed since, can't take this one over.
          epoch: lease?.['epoch'] ?? 0,
          write: 0,
          fence: 0,
          position,
          bytes,
          begun: null,
          handled: [],
          solo: null,
          createdAt: new Date(),
          updatedAt: new Date(),
        } as never,
        { session },
      );
      return 'registered' as const;
    });
  } catch (error) {
    // Another process was first.
    if (serverCode(error) === 11000) return 'registered';
    throw error;
  }
}

/** What is fixed of a consumer that exists, and how often one of its name was removed. */
export async function readRegistration(
  store: Store,
  consumer: string,
): Promise<{ fixed: FixedOptions | undefined; removals: number }> {
  const documents = await store
    .collection('state')
    .find({ _id: { $in: [consumerCheckpoint(consumer), consumerLease(consumer)] as never[] } })
    .toArray();
  const byId = new Map(documents.map((document) => [String(document['_id']), document]));
  const checkpoint = byId.get(consumerCheckpoint(consumer));
  return {
    fixed:
      checkpoint === undefined
        ? undefined
        : { order: checkpoint['order'] as FixedOptions['order'], transactional: checkpoint['transactional'] === true },
    removals: removalsOf(byId.get(consumerLease(consumer)) ?? {}),
  };
}

/** How often a consumer was removed, from its lease. */
export function removalsOf(lease: Document): number {
  return Number(lease['removals'] ?? 0);
}

/** The running byte count at a position of the log: of its entry, or, where that is the last one overwritten, from the next one. */
export async function readStart(store: Store, position: number): Promise<LogMark | undefined> {
  const entries = await store
    .collection('log')
    .aggregate([
      { $match: { _id: { $in: [position, position + 1] } } },
      { $sort: { _id: 1 } },
      { $project: { bytes: 1, size: { $bsonSize: '$$ROOT' } } },
    ])
    .toArray();
  const [entry] = entries;
  if (entry === undefined) return undefined;
  const bytes = toBigInt(entry['bytes'] as Int64);
  if (Number(entry['_id']) === position) return { position, bytes };
  return { position, bytes: bytes - toBigInt(entry['size'] as Int64) };
}
