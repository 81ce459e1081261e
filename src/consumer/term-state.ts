import type { Emit } from '../events.js';
import type { ErrorInfo } from '../handler.js';
import type { HeldLease } from '../internal/held-lease.js';
import type { Delivered, OutboxMessage } from '../message.js';
import type { ResolvedOptions } from '../options.js';
import { consumerLease, type Checkpoint, type Fence } from '../store/consumer-checkpoint.js';
import type { StoredEntry } from '../store/read-log-page.js';
import type { Store } from '../store/store.js';
import { TermSessions } from '../store/term-sessions.js';
import { CheckpointWriter } from './checkpoint-writer.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import { toErrorInfo } from './error-info.js';
import { Outage } from './outage.js';
import { Solo } from './solo.js';
import type { Task } from './task.js';
import { Window } from './window.js';
import type { Work } from './work.js';

/** Longest time of one of Node's timers, in milliseconds: a longer one would end at once. */
const longestTimerMs = 2 ** 31 - 1;

/** What running messages needs of the outbox. */
export interface TermHost {
  readonly store: Store;
  readonly options: ResolvedOptions;
  readonly emit: Emit;
  deliver(entry: StoredEntry): Delivered<OutboxMessage>;
  /** The id of the message. */
  idOf(entry: StoredEntry): string;
}

/** One term of ownership of a consumer. */
export interface TermSetup {
  readonly consumer: string;
  readonly work: Work;
  readonly options: ResolvedConsumerOptions;
  readonly lease: HeldLease;
  readonly checkpoint: Checkpoint;
  /** Pages of the log after a position; ends with `signal`, or at the end of the log where it is a drain. */
  pages(position: number, signal: AbortSignal): AsyncIterator<StoredEntry[]>;
  /** Peaceful end: nothing new is begun, what is in flight finishes. */
  readonly stop: AbortSignal;
  /** What is still in flight is given up. */
  readonly abort: AbortSignal;
  /** Where it ends when nothing is left to do: whether it waits for the end of an outage. */
  readonly drain?: { readonly patient: boolean };
  /** How long, in milliseconds, handlers have to react to their aborted signal. @defaultValue `1000` */
  readonly abortGraceMs?: number;
}

/** A run of one message, or of a batch. */
export interface Run {
  /** Aborts the signal that the handler or publisher was given, if it asked for it. */
  abort(reason?: unknown): void;
}

/** What the parts of a term share: the messages, the checkpoint, and what became known meanwhile. */
export class TermState {
  readonly fence: Fence;
  readonly window: Window<Task>;
  readonly writer: CheckpointWriter;
  readonly outage: Outage<Task>;
  readonly solo: Solo;
  readonly sessions: TermSessions;
  /** What is in flight, in the order in which it was started. */
  readonly running = new Map<Task, Run>();
  readonly counts = { handled: 0, failed: 0, dead: 0 };
  /** Aborts when the term is over: outcomes are of no matter then. */
  readonly over = new AbortController();
  /** The signals of what is in flight were aborted: what fails from now on does so for that reason, and spends no attempt. */
  aborted = false;
  /** The lease is another's, as a write has found. */
  lost = false;
  /** What makes going on impossible. */
  fatal: { error: unknown } | undefined;
  lastError: ErrorInfo | null = null;
  #woken = false;
  #wake: (() => void) | undefined;

  constructor(
    readonly host: TermHost,
    readonly setup: TermSetup,
  ) {
    const { checkpoint, consumer, options, lease } = setup;
    this.fence = { consumer, epoch: lease.epoch, wtimeoutMs: host.options.leaseMs };
    this.window = new Window<Task>(checkpoint);
    this.solo = new Solo(checkpoint);
    this.sessions = new TermSessions(host.store, consumerLease(consumer), lease.epoch, this.fence.wtimeoutMs);
    this.sessions.committed(checkpoint.takenAt);
    this.writer = new CheckpointWriter(
      host.store,
      this.fence,
      this.window.reach,
      this.sessions,
      this.solo,
      options,
      checkpoint,
    );
    this.outage = new Outage(options.retry);
  }

  get isLost(): boolean {
    return this.lost || this.setup.lease.lost.aborted;
  }

  /** Whether messages are run one at a time: an earlier owner died while they were in flight. */
  get isSolo(): boolean {
    return this.solo.isOn(this.writer.stored.position);
  }

  idOf(task: Task): string {
    return task.payload === undefined ? String(task.position) : this.host.idOf(task.payload);
  }

  noteError(error: unknown): ErrorInfo {
    this.lastError = toErrorInfo(error);
    return this.lastError;
  }

  report(error: unknown): void {
    this.noteError(error);
    this.host.emit('error', { part: 'consumer', consumer: this.setup.consumer, error });
  }

  /** Something that nobody reckoned with makes going on impossible. */
  failed(error: unknown): void {
    this.fatal ??= { error };
    this.wakeUp();
  }

  /** Something happened that the loop has to look at. */
  wakeUp(): void {
    if (this.#woken) return;
    this.#woken = true;
    this.#wake?.();
  }

  /** Forgets what happened up to now; the loop looks at it. */
  looked(): void {
    this.#woken = false;
  }

  /** Until something happens, at most `mostMs`. What happens in the same turn of the event loop is looked at together. */
  async sleep(mostMs: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = mostMs === Infinity ? undefined : setTimeout(resolve, Math.min(mostMs, longestTimerMs));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    if (this.#woken) await new Promise((resolve) => setImmediate(resolve));
  }
}
