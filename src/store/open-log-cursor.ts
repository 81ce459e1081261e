import type { ClientSession } from 'mongoose';
import { cursorTimeoutMs, type Document, type Store } from './store.js';

/** How long the server holds an idle request of the cursor, in milliseconds. */
const maxAwaitMs = 5_000;

/** A tailable cursor that tells only that something was appended. */
export interface LogCursor {
  /** The newest position of the next entries; undefined when none came for a while. Rejects when the cursor is dead. */
  next(): Promise<number | undefined>;
  /**
   * Kills the cursor; the session must live until this is done. Nobody waits for it: where the server is dead, it takes
   * half a minute.
   */
  close(): Promise<void>;
}

/**
 * Opens a tailable awaitData cursor from `position` on, that entry included, so that its first answer says that it is
 * open; after that, each append shows as its last entry. readConcern local: at majority it would wake only at the next insert, or after a second. What it shows may
 * still roll back; readers look again by index at majority, in a session that has seen this cursor's time.
 */
export function openLogCursor(store: Store, session: ClientSession, position: number): LogCursor {
  const cursor = store.collection('log').find(
    { $or: [{ _id: position as never }, { last: true, _id: { $gt: position as never } }] },
    {
      projection: { _id: 1 },
      tailable: true,
      awaitData: true,
      maxAwaitTimeMS: maxAwaitMs,
      timeoutMS: cursorTimeoutMs,
      readConcern: { level: 'local' },
      session: session,
    },
  );
  return {
    next: async () => {
      const first = await cursor.tryNext();
      if (first === null) {
        if (cursor.closed || cursor.id === undefined || cursor.id.isZero())
          throw new Error('the server closed the tailable cursor');
        return undefined;
      }
      const rest = cursor.readBufferedDocuments() as Document[];
      return Number((rest.at(-1) ?? first)['_id']);
    },
    close: () => cursor.close().catch(() => undefined),
  };
}
