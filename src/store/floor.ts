import type { ClientSession } from 'mongoose';
import { hasLabel, serverCode } from '../errors.js';
import { inTransaction, inTransactionCollection } from './in-transaction.js';
import { toMark, readOverwritten, type LogMark } from './log-marks.js';
import { lowestCheckpoint, type Checkpoint } from './lowest-checkpoint.js';
import type { Document, Store } from './store.js';

/** At and below the floor the log may be overwritten; every registered consumer has passed it. */
export interface Floor extends LogMark {
  /** The consumer that keeps the log from taking what is pending; null while it flows. */
  heldBy: string | null;
  /** How often the document was touched. */
  raised: number;
}

const floorId = 'floor';

/** Every touch changes the document: an update that changes nothing conflicts with nothing. */
const touched = { $inc: { raised: 1 } as never };

/** The stored floor; undefined in an outbox that an older version set up. */
export async function readFloor(store: Store): Promise<Floor | undefined> {
  const floor = await store.collection('state').findOne({ _id: floorId as never });
  return floor === null ? undefined : toFloor(floor);
}

/** Makes the floor document where there is none: just below the oldest entry, since what is gone can't be promised. */
export async function createFloor(store: Store): Promise<void> {
  const { position, bytes } = await readOverwritten(store);
  try {
    await store.collection('state').insertOne({ _id: floorId, position, bytes, raised: 0, heldBy: null } as never, {
      writeConcern: { w: 'majority' },
    });
  } catch (error) {
    if (serverCode(error) !== 11000) throw error;
  }
}

/**
 * Back to 0 for a log that is about to be made anew, unless somebody has touched the floor since it was `seen`. The
 * floor of a log that is gone would let its successor overwrite what was not passed.
 */
export async function resetFloor(store: Store, seen: Floor): Promise<void> {
  await store
    .collection('state')
    .updateOne(
      { _id: floorId as never, raised: seen.raised },
      { $set: { position: 0, bytes: 0n, heldBy: null }, ...touched },
      { writeConcern: { w: 'majority' } },
    );
}

/** What raising came to: the floor as it is stored now, and the consumer that kept it below what was asked. */
export interface RaisedFloor {
  floor: Floor;
  limitedBy: Checkpoint | undefined;
}

/** How often a raise that met a registration is tried again before the mover starts over. */
const raiseAttempts = 10;

/**
 * Raises the floor to `asked`, or to the lowest checkpoint where that is lower; never lowers it. All in one transaction:
 * whoever registers or rewinds a consumer touches the floor document in theirs, so one of the two is refused and tried
 * again, and no consumer can begin where the log is being overwritten.
 */
export async function raiseFloor(store: Store, asked: LogMark): Promise<RaisedFloor> {
  for (let attempt = 1; ; attempt += 1) {
    const session = store.session();
    try {
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
      const raised = await raiseIn(store, session, asked);
      if (raised.changed) await session.commitTransaction({ timeoutMS: 0 });
      else await session.abortTransaction({ timeoutMS: 0 });
      return raised;
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction({ timeoutMS: 0 }).catch(() => undefined);
      if (!hasLabel(error, 'TransientTransactionError') || attempt === raiseAttempts) throw error;
    } finally {
      void session.endSession().catch(() => undefined);
    }
  }
}

async function raiseIn(
  store: Store,
  session: ClientSession,
  asked: LogMark,
): Promise<RaisedFloor & { changed: boolean }> {
  const state = store.collection('state');
  const stored = await state.findOne({ _id: floorId as never }, { session });
  const lowest = await lowestCheckpoint(store, session);
  const floor = stored === null ? { position: 0, bytes: 0n, heldBy: null, raised: 0 } : toFloor(stored);
  const limitedBy = lowest !== undefined && lowest.position < asked.position ? lowest : undefined;
  const { position, bytes } = limitedBy ?? asked;
  if (stored !== null && position <= floor.position) return { floor, limitedBy, changed: false };
  const raised = position > floor.position ? { position, bytes } : { position: floor.position, bytes: floor.bytes };
  await state.updateOne(
    { _id: floorId as never },
    { $set: raised, ...touched, $setOnInsert: { heldBy: null } },
    { session, upsert: true },
  );
  return { floor: { ...floor, ...raised }, limitedBy, changed: true };
}

const noFloor = Symbol('no floor');

/**
 * For registering and rewinding a consumer: runs `work` in a transaction that touches the floor document, so that it
 * conflicts with a raise, and gives it the floor that holds for it. Whatever is above is in the log, and stays as long
 * as the checkpoint that is written in the same transaction is not passed.
 */
export async function touchingFloor<T>(
  store: Store,
  wtimeoutMs: number,
  work: (session: ClientSession, floor: LogMark) => Promise<T>,
): Promise<T> {
  for (;;) {
    const outcome = await inTransaction(store, wtimeoutMs, async (session) => {
      const floor = await inTransactionCollection(store, 'state').findOneAndUpdate({ _id: floorId as never }, touched, {
        session,
        returnDocument: 'after',
      });
      return floor === null ? noFloor : work(session, toMark(floor));
    });
    if (outcome !== noFloor) return outcome;
    // Of an older version. Made when the transaction is over: an insert beside it would wait for whoever waits for the
    // transaction's locks (a collMod, a dropDatabase), which waits for the transaction, and that for the insert.
    await createFloor(store);
  }
}

/** Tells everybody who asks for the status which consumer holds the log, or with null that it flows. */
export async function setHeldBy(store: Store, heldBy: string | null): Promise<void> {
  await store
    .collection('state')
    .updateOne({ _id: floorId as never }, { $set: { heldBy } }, { writeConcern: { w: 'majority' } });
}

function toFloor(stored: Document): Floor {
  const { position, bytes, heldBy, raised } = stored;
  return {
    ...toMark({ position, bytes }),
    heldBy: typeof heldBy === 'string' ? heldBy : null,
    raised: Number(raised ?? 0),
  };
}
