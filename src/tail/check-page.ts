/** Most entries that one stale sequencer can leave as strays: the largest batch; see sequencer/limits.ts. */
const largestStrayRun = 1_000;

/**
 * How many entries a page asks for: more than two stale sequencers can leave as strays, so that a page of strays
 * alone can't be taken for the log.
 */
export const pageSize = 2 * largestStrayRun + 48;

/**
 * The server ends a reply before an entry that would take it over 16 MiB. A page of at most so many bytes had room for
 * the largest entry there can be (see sequencer/limits.ts), so nothing came after it.
 */
const roomForAnyBytes = 32n * 1024n;

/** What checking reads of an entry. */
export interface PageEntry {
  _id: number;
  bytes: bigint;
  $recordId: bigint;
}

/** What is known of the entry at the position that a page begins after, once that was read. */
export type EntryBefore = Pick<PageEntry, 'bytes' | '$recordId'>;

/**
 * - `ok`: these are the entries after the position, none missing; `atEnd` tells that they reach the end of the log.
 * - `empty`: nothing there.
 * - `lost`: entries after the position have been overwritten (or the page holds stray entries, which means the same).
 * - `unsure`: contiguous, but the server may have cut it in the middle of stray entries; compare with the oldest position.
 */
export type PageVerdict = 'empty' | 'lost' | { verdict: 'ok' | 'unsure'; atEnd: boolean };

/**
 * Judges a page that was read by index after `position`. Two things show that something is missing: a jump in the
 * positions, the page's first included, and a record id that does not rise (a stray entry was inserted after its
 * successor). A run that rises in both is the log where it was inserted right after the entry before it, reaches the end
 * of the log, or is longer than any run of strays.
 */
export function checkPage(
  position: number,
  before: EntryBefore | undefined,
  entries: readonly PageEntry[],
  limit: number = pageSize,
): PageVerdict {
  let previous: PageEntry | undefined;
  for (const entry of entries) {
    if (entry._id !== (previous?._id ?? position) + 1) return 'lost';
    if (previous !== undefined && entry.$recordId <= previous.$recordId) return 'lost';
    previous = entry;
  }
  const first = entries[0];
  if (first === undefined || previous === undefined) return 'empty';
  const full = entries.length >= limit;
  const whole = !full && before !== undefined && previous.bytes - before.bytes <= roomForAnyBytes;
  // A stray has been inserted after all of a log's length.
  const follows = before !== undefined && first.$recordId === before.$recordId + 1n;
  const sure = follows || full || whole || entries.length > 2 * largestStrayRun;
  return { verdict: sure ? 'ok' : 'unsure', atEnd: whole };
}
