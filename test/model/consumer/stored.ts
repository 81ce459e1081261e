import type { ConsumerRules } from './rules.js';

export type FailureState = '' | 'retrying' | 'queued' | 'dead';
/** A change to the failure of a message. */
export interface Change {
  position: number;
  to: FailureState;
}

/** What one process writes: how far everything is done, and changes of failures, in one transaction where there are any. */
export interface Write {
  epoch: number;
  position: number;
  handled: readonly number[];
  changes: readonly Change[];
  /** Whether the epoch was the stored one when it was sent. */
  matched: boolean;
  /** Somebody has written the checkpoint since: a transaction that was sent before can't commit. */
  stale: boolean;
}

/** The checkpoint and the failures of one consumer. Index 0 of the failures is not used. */
export interface Stored {
  /** Of the lease: how often it was acquired. */
  lease: number;
  isFree: boolean;
  /** Null when the consumer is removed. */
  checkpoint: { epoch: number; position: number; handled: readonly number[] } | null;
  failures: readonly FailureState[];
}

/** @returns what is stored then, or undefined when the lease is another's by now */
export function applyWrite(
  stored: Stored,
  write: Write,
  rules: ConsumerRules,
  sameRecord: (a: number, b: number) => boolean,
): { stored: Stored; done: boolean } {
  const { checkpoint } = stored;
  const { position, handled, changes } = write;
  const matches = checkpoint !== null && checkpoint.epoch === write.epoch;
  const slipsIn = rules.fence === 'changes nothing' && changes.length > 0 && write.matched && checkpoint !== null;
  const failures = changeFailures(stored.failures, changes, sameRecord);
  if (rules.checkpoint === 'always' && checkpoint !== null)
    return { stored: { ...stored, failures, checkpoint: { ...checkpoint, position, handled } }, done: true };
  // Only the failures: what they go with is as the other owner left it.
  if (!matches && slipsIn) return { stored: { ...stored, failures }, done: true };
  if (!matches) return { stored: rules.failures === 'beside' ? { ...stored, failures } : stored, done: false };
  const reached = { epoch: write.epoch, position: Math.max(checkpoint.position, position), handled };
  return { stored: { ...stored, failures, checkpoint: reached }, done: true };
}

function changeFailures(
  failures: readonly FailureState[],
  changes: readonly Change[],
  same: (a: number, b: number) => boolean,
): FailureState[] {
  const after = [...failures];
  for (const { position, to } of changes) {
    // One that is there is not added again, and one that was discarded does not come back by failing again.
    const taken = after.some((state, other) => state !== '' && other !== position && same(other, position));
    if (!taken) after[position] = to;
  }
  return after;
}
