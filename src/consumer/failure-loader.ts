import {
  readBlockedKeys,
  readDue,
  readFailedPositions,
  readFirstOfLane,
  readHighestFailure,
  readNextDue,
  type FailureRecord,
} from '../store/failure-records.js';
import type { TermReads } from '../store/term-sessions.js';
import type { CheckpointWriter } from './checkpoint-writer.js';
import { recordTask, strictLane, type Task } from './task.js';
import type { Window } from './window.js';

/** Most failures that are loaded at once: of a key, and of messages without one. */
const chunk = 50;
/** Most keys whose failures are looked up at once. */
const lanesAtOnce = 16;
/** How soon, in milliseconds, more than a chunk of due failures is looked at again. */
const moreDueMs = 50;

export interface LoaderOptions {
  consumer: string;
  order: 'key' | 'strict';
  /** Whether dead letters block the messages behind them. */
  deadBlocks: boolean;
  handles: (type: string) => boolean;
  /** The server's time in milliseconds since 1970. */
  serverNow: () => number;
  /** Whether messages are run one at a time, each recorded by itself. */
  isSolo: () => boolean;
  /** Called with the position of a failure that waits for another one of its key. */
  waits: (position: number) => void;
  onUnknown: (record: FailureRecord) => void;
}

/**
 * Brings failures that are due into the window, keeps the keys blocked that have failures, and frees them when none is
 * left. A key's failures are run lowest position first, later messages of the key join them.
 */
export class FailureLoader {
  /** Server time in milliseconds at which a failure is due. */
  #nextDue: number | undefined;
  /** Lanes whose failures are to be looked up. */
  readonly #lanes = new Set<string>();
  /** How many failures of a lane have ended without that being stored: what is stored of the lane is not true yet. */
  readonly #settling = new Map<string, number>();
  /** Lanes whose failures are brought as soon as it is stored that they are begun. */
  readonly #bringing = new Set<string>();
  /** Positions of messages without a key that are loaded, or have ended without that being stored. */
  readonly #loaded = new Set<number>();
  /** Positions of failures that this process can't handle. */
  readonly #left = new Set<number>();
  #highest = 0;
  #busy = false;
  #reload = false;
  #begun = false;

  constructor(
    private readonly reads: TermReads,
    private readonly window: Window<Task>,
    private readonly writer: CheckpointWriter,
    private readonly options: LoaderOptions,
  ) {}

  /** What an earlier owner left. Nothing may be run before. */
  async start(): Promise<void> {
    this.#highest = await readHighestFailure(this.reads, this.options.consumer);
    if (this.#highest > 0) await this.#readBlocked();
  }

  /** Positions of this range that have a failure already. */
  async failedAmong(first: number, last: number): Promise<Set<number>> {
    return first > this.#highest ? new Set() : readFailedPositions(this.reads, this.options.consumer, first, last);
  }

  /** Milliseconds until a failure is due; undefined when none is scheduled, 0 when something is to be looked up now. */
  get dueInMs(): number | undefined {
    if (this.#reload || [...this.#lanes].some((lane) => this.#isQuiet(lane))) return 0;
    return this.#nextDue === undefined ? undefined : Math.max(0, this.#nextDue - this.options.serverNow());
  }

  get nextDue(): number | undefined {
    return this.#nextDue;
  }

  /** Whether failures were recorded as begun. */
  get hasBegun(): boolean {
    return this.#begun;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Somebody changed failures from outside. */
  reload(): void {
    this.#reload = true;
  }

  /** A failure is due at this server time. */
  schedule(at: Date): void {
    this.#nextDue = Math.min(this.#nextDue ?? Infinity, at.getTime());
  }

  /** A run of a failure has ended, which is to be stored. */
  settling({ lane, position }: Task): void {
    if (lane === undefined) this.#loaded.add(position);
    else this.#settling.set(lane, (this.#settling.get(lane) ?? 0) + 1);
  }

  /** It is stored that the run of a failure has ended. */
  settled({ lane, position }: Task): void {
    if (lane === undefined) {
      this.#loaded.delete(position);
      return;
    }
    const left = (this.#settling.get(lane) ?? 1) - 1;
    if (left > 0) this.#settling.set(lane, left);
    else this.#settling.delete(lane);
    if (!this.window.hasRecords(lane)) this.#lanes.add(lane);
  }

  /** Whether what is stored of a lane's failures is true, and stays so until something of it is brought. */
  #isQuiet(lane: string): boolean {
    return this.window.isQuiet(lane) && !this.#settling.has(lane) && !this.#bringing.has(lane);
  }

  /** Looks up what is due, and frees the keys of which no failure is left. Nothing may be written meanwhile. */
  async look(): Promise<void> {
    this.#busy = true;
    try {
      if (this.#reload) {
        this.#reload = false;
        await this.#readBlocked();
      }
      if (this.#nextDue !== undefined && this.#nextDue <= this.options.serverNow()) await this.#readDue();
      const quiet = [...this.#lanes].filter((lane) => this.#isQuiet(lane)).slice(0, lanesAtOnce);
      await Promise.all(quiet.map((lane) => this.#readLane(lane)));
    } finally {
      this.#busy = false;
    }
  }

  async #readBlocked(): Promise<void> {
    const { consumer, order, deadBlocks } = this.options;
    const before = new Set(this.window.blockedLanes());
    const next = await readNextDue(this.reads, consumer);
    const keys = await readBlockedKeys(this.reads, consumer, deadBlocks);
    for (const { key, scheduled } of keys) {
      const lane = order === 'strict' ? strictLane : key;
      if (lane === undefined) continue;
      before.delete(lane);
      this.window.block(lane);
      if (!scheduled || order === 'strict') this.#lanes.add(lane);
    }
    // Somebody discarded the last failure of these.
    for (const lane of before) this.#lanes.add(lane);
    this.#nextDue = next?.getTime();
  }

  async #readDue(): Promise<void> {
    const { consumer, order, serverNow } = this.options;
    const now = serverNow();
    const due = await readDue(this.reads, consumer, new Date(now), chunk, [...this.#loaded, ...this.#left]);
    const next = await readNextDue(this.reads, consumer, new Date(now));
    this.#nextDue = due.length === chunk ? now + moreDueMs : next?.getTime();
    const single: FailureRecord[] = [];
    for (const record of due) {
      if (order === 'strict') this.#laneIsDue(strictLane);
      else if (record.key !== undefined) this.#laneIsDue(record.key);
      else if (this.#handles(record)) single.push(record);
    }
    this.#bring(single);
    for (const record of single) this.#loaded.add(record.position);
  }

  #laneIsDue(lane: string): void {
    this.window.block(lane);
    if (!this.window.hasRecords(lane)) this.#lanes.add(lane);
  }

  async #readLane(lane: string): Promise<void> {
    const { consumer, order, deadBlocks, serverNow } = this.options;
    const key = order === 'strict' ? undefined : lane;
    const records = await readFirstOfLane(this.reads, consumer, key, deadBlocks, chunk);
    this.#lanes.delete(lane);
    if (records.length === 0) return this.window.unblock(lane);
    const runnable: FailureRecord[] = [];
    for (const record of records) {
      const { state, nextAttemptAt } = record;
      if (state === 'dead') break;
      if (state === 'retrying' && nextAttemptAt !== null && nextAttemptAt.getTime() > serverNow()) {
        this.schedule(nextAttemptAt);
        break;
      }
      if (!this.#handles(record)) break;
      runnable.push(record);
    }
    for (const { position } of records.slice(runnable.length)) this.options.waits(position);
    this.#bring(runnable);
  }

  /** One of a type that only a newer process knows is left for that, and not looked at again. */
  #handles(record: FailureRecord): boolean {
    const known = this.options.handles(record.entry.type as string);
    if (!known && !this.#left.has(record.position)) {
      this.#left.add(record.position);
      this.options.onUnknown(record);
    }
    return known;
  }

  #bring(records: readonly FailureRecord[]): void {
    const tasks = records.map((record) => recordTask(record, this.options.order));
    if (this.options.isSolo()) return this.window.addRecords(tasks);
    this.#begun ||= tasks.length > 0;
    // They are run once it is recorded that they were begun.
    for (const task of tasks) {
      const { lane, position } = task;
      if (lane !== undefined) this.#bringing.add(lane);
      this.writer.push({
        write: { kind: 'begin', position },
        committed: () => {
          if (lane !== undefined) this.#bringing.delete(lane);
          this.window.addRecords([task]);
        },
      });
    }
  }
}
