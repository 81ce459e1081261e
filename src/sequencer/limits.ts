/** Most messages that any sequencer may append in one command; the largest `appendBatchSize`. */
export const largestBatch = 1_000;

/**
 * How many of the newest entries may still stand in pending: no sequencer has more than one batch appended and not yet
 * deleted, and two of them may overlap.
 */
export const resolveWindow = 2 * largestBatch;

/** Most bytes in one append: well below what the server takes in one message, and quick to send. */
const mostBatchBytes = 8 * 1024 * 1024;

/**
 * MongoDB's limit of a document, less what put leaves free as well: a reader takes a page of a few entries for the end
 * of the log because any other entry would have had room in the reply (tail/check-page.ts).
 */
const maxEntryBytes = 16 * 1024 * 1024 - 64 * 1024;

/** What one append may hold. */
export interface AppendLimits {
  count: number;
  bytes: number;
  /** A quarter of the log, in bytes: no single message may take more. */
  quarter: number;
}

/**
 * A batch is at most a quarter of the log, in bytes and in count: otherwise what another sequencer has to look up
 * before it appends (the newest two batches) may have been overwritten.
 */
export function appendLimits(
  cap: { sizeBytes: number; maxMessages: number | undefined },
  batchSize: number,
): AppendLimits {
  const quarter = Math.floor(cap.sizeBytes / 4);
  return {
    count: Math.max(1, Math.min(batchSize, largestBatch, Math.floor((cap.maxMessages ?? Infinity) / 4))),
    bytes: Math.min(mostBatchBytes, quarter),
    quarter,
  };
}

/** Largest single entry in bytes: it may exceed a batch's usual bytes when it goes alone. */
export function largestAppend(limits: AppendLimits): number {
  return Math.min(limits.quarter, maxEntryBytes);
}
