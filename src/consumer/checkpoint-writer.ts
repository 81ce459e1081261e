import { commitProgress } from '../store/commit-progress.js';
import type { Checkpoint, Fence, Progress } from '../store/consumer-checkpoint.js';
import type { FailureWrite } from '../store/failure-records.js';
import type { LogMark } from '../store/log-marks.js';
import type { Store } from '../store/store.js';
import type { TermSessions } from '../store/term-sessions.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import type { Solo } from './solo.js';
import type { Task } from './task.js';
import type { Reach } from './reach.js';

/** A change to the failures, and what follows once it is committed. */
export interface FailureChange {
  write: FailureWrite;
  committed?: () => void;
}

/**
 * Writes the checkpoint, one write after another: within a process its transactions would conflict. What has come up
 * while a write was under way goes into the next one together.
 */
export class CheckpointWriter {
  #stored: LogMark & { begun: number };
  #busy = false;
  #changes: FailureChange[] = [];
  /** Handled above the checkpoint by an earlier owner. */
  #inherited: readonly number[];
  /** How many begun messages of the log are at or below the stored checkpoint. */
  #begunStored = 0;
  /** Messages of failures that were begun and whose end is not stored. */
  #begunRecords = 0;
  /** How many writes were begun. */
  #writes = 0;

  constructor(
    private readonly store: Store,
    private readonly fence: Fence,
    private readonly reach: Reach<Task>,
    private readonly sessions: TermSessions,
    private readonly solo: Solo,
    private readonly options: Pick<ResolvedConsumerOptions, 'batchSize' | 'transactional'>,
    checkpoint: Checkpoint,
  ) {
    this.#stored = { position: checkpoint.position, bytes: checkpoint.bytes, begun: 0 };
    this.#inherited = checkpoint.handled;
  }

  /** What is stored. */
  get stored(): Readonly<LogMark & { begun: number }> {
    return this.#stored;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Whether changes of the failures wait to be written. */
  get hasChanges(): boolean {
    return this.#changes.length > 0;
  }

  /** Messages that would be run again after a crash. */
  get exposed(): number {
    return this.reach.begun.total - this.#begunStored + this.#begunRecords;
  }

  push(change: FailureChange): void {
    this.#changes.push(change);
  }

  recordBegun(): void {
    this.#begunRecords += 1;
  }

  recordSettled(): void {
    this.#begunRecords -= 1;
  }

  /** Whether there is something to store. */
  get isDue(): boolean {
    return this.hasChanges || this.reach.advance().position > this.#stored.position;
  }

  /** The window's end were the checkpoint stored now. */
  get nextEnd(): number {
    this.reach.advance();
    return this.reach.end(this.options.batchSize);
  }

  /**
   * Stores how far everything is done, with the changes of the failures. After an error they wait for the next call.
   *
   * @param last nothing is in flight any more: also stores what was handled above the checkpoint
   * @returns false when the lease is another's by now
   */
  async write(last = false): Promise<boolean> {
    const changes = this.#changes.slice();
    const mark = this.reach.advance();
    const { reached } = this.reach.begun;
    const begun = this.reach.end(this.options.batchSize);
    const progress: Progress = {
      ...mark,
      begun: last ? null : begun,
      handled: this.#handled(mark, last || this.options.transactional ? this.reach.handledAbove() : []),
      solo: last ? null : this.solo.mark,
      write: (this.#writes += 1),
      ...this.#previous(),
    };
    this.#busy = true;
    const { mark: marked } = this.solo;
    try {
      if (
        !(await commitProgress(
          this.store,
          this.fence,
          progress,
          changes.map(({ write }) => write),
          this.sessions,
        ))
      )
        return false;
    } finally {
      this.#busy = false;
    }
    if (this.solo.mark === marked) this.solo.isUnwritten = false;
    this.#store(mark, begun);
    this.#begunStored = reached;
    this.#changes = this.#changes.slice(changes.length);
    for (const { committed } of changes) committed?.();
    return true;
  }

  /** What the transaction of a handler stores for its message. */
  progressWith(task: Task): Progress {
    const { handled, ...mark } = this.reach.reachedWith(task);
    return {
      ...mark,
      begun: this.reach.end(this.options.batchSize),
      handled: this.#handled(mark, handled),
      solo: null,
      write: (this.#writes += 1),
      ...this.#previous(),
    };
  }

  /** A handler's transaction has stored this. */
  applied(progress: Progress): void {
    this.reach.advance();
    this.#store(progress, progress.begun ?? 0);
    this.#begunStored = this.reach.begun.reached;
  }

  /** The inherited ones stay in mind until that is stored: a handler's transaction may fail, and the mark is lower then. */
  #handled(mark: LogMark, own: readonly number[]): number[] {
    return [...this.#inherited.filter((position) => position > mark.position), ...own];
  }

  #store({ position, bytes }: LogMark, begun: number): void {
    this.#stored = { position, bytes, begun };
    this.#inherited = this.#inherited.filter((handled) => handled > position);
  }

  /** A transaction whose outcome is unknown could otherwise move the checkpoint behind our back. */
  #previous(): { previous?: number } {
    return this.options.transactional ? { previous: this.#stored.position } : {};
  }
}
