import type { ClientSession } from 'mongoose';
import { writeCheckpoint, type Fence, type Progress } from './consumer-checkpoint.js';
import { writeFailures, type FailureWrite } from './failure-records.js';
import { inTransaction, inTransactionCollection, transactionOptions } from './in-transaction.js';
import type { Store } from './store.js';
import type { TermSessions } from './term-sessions.js';

/** Thrown out of a transaction to abort it. */
const lost = new Error('the lease is lost');

/**
 * Stores the progress, together with what is written to the failures.
 * @returns false when the lease is another's by now: then nothing was written
 */
export async function commitProgress(
  store: Store,
  fence: Fence,
  progress: Progress,
  failures: readonly FailureWrite[],
  sessions: TermSessions,
): Promise<boolean> {
  if (failures.length === 0) return writeCheckpoint(store, fence, progress);
  const write = await writeFailures(store, fence, failures);
  try {
    let last: ClientSession | undefined;
    const work = async (session: ClientSession): Promise<void> => {
      last = session;
      await write(session);
      // Last: after a kill -9 its lock lives on for up to a minute, and the next owner waits for it. A takeover since the
      // transaction began conflicts with it all the same.
      if (!(await writeCheckpoint(store, fence, progress, session))) throw lost;
    };
    await inTransaction(store, fence.wtimeoutMs, work, (session) => sessions.note(session));
    if (last !== undefined) sessions.committed(last);
    return true;
  } catch (error) {
    if (error === lost) return false;
    throw error;
  }
}

/** Thrown out of a handler's transaction when somebody discarded the failure that it handles. */
const discarded = new Error('the failure was discarded');

/**
 * Runs a handler inside `connection.transaction`, so that mongoose's AsyncLocalStorage applies too; the progress, and the
 * removal of the failure that was run, commit together with what it writes. The fenced update comes last: after a kill
 * -9 its lock lives on for up to a minute.
 *
 * @param record position of the failure that is handled; undefined for a message of the log
 */
export async function handleInTransaction(
  store: Store,
  fence: Fence,
  handle: (session: ClientSession) => Promise<unknown>,
  progress: Progress,
  record: number | undefined,
  sessions: TermSessions,
): Promise<'done' | 'lost' | 'discarded'> {
  try {
    let last: ClientSession | undefined;
    await store.connection.transaction(async (session) => {
      last = session;
      await sessions.note(session);
      await handle(session);
      if (record !== undefined) {
        const failures = inTransactionCollection(store, 'failures');
        const removed = await failures.deleteOne(
          { _id: { consumer: fence.consumer, position: record } as never },
          { session },
        );
        if (removed.deletedCount !== 1) throw discarded;
      }
      if (!(await writeCheckpoint(store, fence, progress, session))) throw lost;
    }, transactionOptions(fence.wtimeoutMs));
    if (last !== undefined) sessions.committed(last);
    return 'done';
  } catch (error) {
    if (error === lost) return 'lost';
    if (error === discarded) return 'discarded';
    throw error;
  }
}
