import type { ClientSession } from 'mongoose';
import { serverCode } from '../errors.js';
import type { Document, Store } from './store.js';

/**
 * Whether the entries were appended, or another sequencer was first at one of the positions (then nothing, or a prefix
 * of them, was appended).
 */
export type AppendResult = 'appended' | 'overtaken';

/**
 * Appends by one ordered insert, majority-committed. `_id` is the position, so this is compare-and-append. A plain
 * command: the driver must not send it again, since a late second one could write a position that was overwritten
 * meanwhile. `maxTimeMS` and `wtimeout` bound it by what is left of the lease. `over` ends
 * its wait for a primary: the room it was planned with is that of the process which answered until then.
 */
export async function appendToLog(
  store: Store,
  session: ClientSession,
  entries: readonly Document[],
  timeLimitMs: number,
  over: AbortSignal | undefined,
): Promise<AppendResult> {
  const reply = await store
    .command(
      {
        insert: store.names.log,
        documents: entries,
        ordered: true,
        maxTimeMS: timeLimitMs,
        writeConcern: { w: 'majority', wtimeout: timeLimitMs },
      },
      { session, ...(over === undefined ? {} : { signal: over }) },
    )
    .catch((error: unknown) => {
      if (serverCode(error) === 11000) return { writeErrors: [{ code: 11000 }] };
      throw error;
    });
  const failure = (reply['writeErrors'] as { code: number; errmsg?: string }[] | undefined)?.[0];
  if (failure === undefined) return 'appended';
  if (failure.code === 11000) return 'overtaken';
  throw Object.assign(new Error(`the append to ${store.names.log} failed: server error ${failure.code}`), {
    code: failure.code,
  });
}
