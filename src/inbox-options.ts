import type { Connection } from 'mongoose';
import { checkKnown, checkWholeNumbers, defined } from './internal/check-options.js';
import { connectionOf } from './options.js';

/** Options of `Inbox`. Unknown options are refused at construction with `INVALID_OPTION`. */
export interface InboxOptions {
  /** The mongoose connection to use; it may still be connecting. Never closed by the inbox. @defaultValue `mongoose.connection` */
  connection?: Connection;
  /**
   * How long, in milliseconds, an id is remembered at least; the server forgets it about a minute later. Longer than the
   * oldest message that can still come again. 60,000 (a minute) to 315,360,000,000 (ten years). Rounded up to seconds.
   * Where processes differ, the one that called `init` last decides for all. @defaultValue `604800000` (7 days)
   */
  retentionMs?: number;
}

/** The options with every default filled in. */
export type ResolvedInboxOptions = Readonly<Required<InboxOptions>>;

const dayMs = 24 * 60 * 60 * 1000;

/** The default, next to the limits that the documentation gives. */
export const inboxDefaults = { retentionMs: 7 * dayMs } as const satisfies InboxOptions;

const limits = { retentionMs: [60_000, 10 * 365 * dayMs] } as const;

const known: readonly (keyof InboxOptions)[] = ['connection', 'retentionMs'];

/** Fills in the defaults and refuses what is unknown or out of its limits. */
export function resolveInboxOptions(given: InboxOptions = {}): ResolvedInboxOptions {
  checkKnown(given, known);
  const set = defined(given);
  checkWholeNumbers(set, limits);
  return Object.freeze({ ...inboxDefaults, ...set, connection: connectionOf(set.connection) });
}
