import type { ClientSession } from 'mongoose';
import type { Emit } from '../events.js';
import { hasLabel, OutboxError } from '../errors.js';
import type { ErrorInfo } from '../handler.js';
import { aborted, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { HeldLease } from '../internal/held-lease.js';
import type { Delivered, OutboxMessage } from '../message.js';
import type { ResolvedOptions } from '../options.js';
import { handleInTransaction } from '../store/commit-progress.js';
import type { Checkpoint, Fence, Progress } from '../store/consumer-checkpoint.js';
import { readBegunRecords, readRecord } from '../store/failure-records.js';
import { readEntries, type StoredEntry } from '../store/read-log-page.js';
import type { Store } from '../store/store.js';
import { PermanentError, Unavailable } from '../verdict.js';
import { CheckpointWriter } from './checkpoint-writer.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import { toErrorInfo } from './error-info.js';
import { FailureLoader } from './failure-loader.js';
import { runHandler } from './handler-run.js';
import { Outage, type Verdict } from './outage.js';
import { afterFailure } from './retry-plan.js';
import { logTask, recordTask, type Task } from './task.js';
import { Window } from './window.js';
import { failedPositions, type Work } from './work.js';

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
}

/** Why a term ended. */
export type TermEnd = 'closed' | 'request' | 'unknown type' | 'lost' | 'drained';

/** Most bytes of messages that are read ahead. */
const mostBufferedBytes = 16 * 1024 * 1024;
/** Longest time, in milliseconds, that progress waits to be stored together with later progress. */
const commitDelayMs = 100;
/** How long, in milliseconds, a handler has to react to its aborted signal before its message may go to another owner. */
const abortGraceMs = 1_000;
/** Most messages in flight that are told of. */
const mostTold = 20;

/**
 * Runs the messages of one consumer while its lease is held. One loop: everything that happens outside (a page was
 * read, a handler settled, the checkpoint was stored, a time was reached) wakes it, and it does whatever can be done.
 */
export class Term {
  readonly #window: Window<Task>;
  readonly #writer: CheckpointWriter;
  readonly #failures: FailureLoader;
  readonly #outage: Outage<Task>;
  readonly #fence: Fence;
  readonly #running = new Map<Task, AbortController>();
  readonly #over = new AbortController();
  readonly #pages: AsyncIterator<StoredEntry[]>;
  #reading = false;
  #exhausted = false;
  #unknownType: string | undefined;
  #requested = false;
  #readBytes: bigint;
  /** Up to here messages are run one at a time: an earlier owner died while they were in flight. */
  readonly #soloEnd: number;
  #soloRecords = new Set<number>();
  #died: Checkpoint['solo'];
  #marked: Task | undefined;
  /** Largest batch of a relay for now: it is halved when a batch is refused as a whole. */
  #limit: number;
  #begunCount = 0;
  #progressSince: number | undefined;
  #retryAt = 0;
  #writeFailures = 0;
  #lost = false;
  #fatal: { error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #woken = false;
  #lastError: ErrorInfo | null = null;
  #lastOutage: unknown;
  readonly counts = { handled: 0, failed: 0, dead: 0 };

  constructor(
    private readonly host: TermHost,
    private readonly setup: TermSetup,
  ) {
    const { checkpoint, consumer, options, lease, work } = setup;
    this.#fence = { consumer, epoch: lease.epoch, wtimeoutMs: host.options.leaseMs };
    this.#window = new Window<Task>(checkpoint);
    this.#writer = new CheckpointWriter(
      host.store,
      this.#fence,
      this.#window,
      options.batchSize,
      options.transactional,
      checkpoint,
    );
    this.#outage = new Outage(options.retry);
    this.#failures = new FailureLoader(host.store, this.#window, this.#writer, {
      consumer,
      order: options.order,
      deadBlocks: options.onDeadLetter === 'block',
      handles: (type) => work.handles(type),
      serverNow: () => lease.serverNow(),
      isSolo: () => this.#isSolo,
      onUnknown: (record) => this.#report(unknownType(record.entry.type as string, consumer)),
    });
    this.#soloEnd = checkpoint.begun ?? 0;
    this.#died = checkpoint.solo;
    this.#limit = options.batchSize;
    this.#readBytes = checkpoint.bytes;
    this.#pages = setup.pages(checkpoint.position, this.#over.signal);
  }

  /** Where the checkpoint is, and when the next failure is due. */
  get position(): number {
    return this.#writer.stored.position;
  }

  get nextAttemptAt(): Date | null {
    const due = this.#failures.nextDue;
    return due === undefined ? null : new Date(due);
  }

  get lastError(): ErrorInfo | null {
    return this.#lastError;
  }

  /** What is told of it with each renewal of the lease. */
  report(): { state: string; lastError: ErrorInfo | null; inFlight: object[] } {
    const now = performance.now();
    const inFlight = [...this.#running.keys()].slice(0, mostTold).map((task) => ({
      position: task.position,
      id: this.#idOf(task),
      attempt: task.attempt,
      sinceMs: Math.round(now - task.startedAt),
    }));
    return { state: this.#state, lastError: this.#lastError, inFlight };
  }

  /** Somebody wants to pause, rewind or remove the consumer. */
  request(): void {
    this.#requested = true;
    this.#wakeUp();
  }

  /** Somebody changed failures. */
  reloadFailures(): void {
    this.#failures.reload();
    this.#wakeUp();
  }

  /** Runs messages until it is stopped, the lease is lost or it can't go on. Rejects with what makes it impossible. */
  async run(): Promise<TermEnd> {
    const { lease, stop, abort } = this.setup;
    const wake = () => this.#wakeUp();
    for (const signal of [lease.lost, stop, abort]) signal.addEventListener('abort', wake);
    try {
      await this.#recover();
      for (;;) {
        this.#woken = false;
        const end = this.#act();
        if (end === 'lost') return end;
        if (end !== undefined) return await this.#finish(end);
        if (!this.#woken) await this.#sleep();
      }
    } finally {
      for (const signal of [lease.lost, stop, abort]) signal.removeEventListener('abort', wake);
      for (const controller of this.#running.values()) controller.abort();
      this.#over.abort();
      void this.#pages.return?.().catch(() => undefined);
    }
  }

  get #isSolo(): boolean {
    return this.#writer.stored.position < this.#soloEnd || this.#soloRecords.size > 0;
  }

  get #state(): string {
    if (this.#outage.isDown) return 'backing-off';
    if (this.#unknownType !== undefined) return 'blocked';
    const { order, onDeadLetter } = this.setup.options;
    const stuck = order === 'strict' && onDeadLetter === 'block' && this.#window.blockedLanes().length > 0;
    return stuck && this.#failures.nextDue === undefined && this.#running.size === 0 ? 'blocked' : 'running';
  }

  /** What an earlier owner left: failures, and messages that were in flight when it died. */
  async #recover(): Promise<void> {
    const { store } = this.host;
    const { consumer, options, checkpoint } = this.setup;
    await this.#failures.start();
    if (checkpoint.begun !== null) this.#soloRecords = new Set(await readBegunRecords(store, consumer));
    if (this.#died?.source !== 'failures') return;
    const record = await readRecord(store, consumer, this.#died.position);
    this.#died = null;
    if (record !== undefined) this.#convict(recordTask(record, options.order), processDied(consumer));
  }

  /** Does what can be done. @returns why the term ends, if it does */
  #act(): TermEnd | undefined {
    const { lease, stop, abort, drain, options } = this.setup;
    const now = performance.now();
    if (this.#fatal !== undefined) throw this.#fatal.error;
    if (this.#lost || lease.lost.aborted) return 'lost';
    const end = stop.aborted ? 'closed' : this.#requested ? 'request' : undefined;
    if (end !== undefined) {
      if (!this.#writer.busy && (this.#running.size === 0 || abort.aborted)) return end;
      return undefined;
    }
    this.#read();
    this.#queueBlocked();
    this.#dispatch(now);
    this.#look();
    this.#store(now);
    if (this.#running.size > 0 || this.#outage.hasSuspects || this.#writer.busy || this.#failures.isBusy)
      return undefined;
    if (drain !== undefined && this.#begunCount >= (options.maxMessages ?? Infinity)) return 'drained';
    if (drain?.patient === false && this.#outage.refusedRounds > 0) return 'drained';
    if (this.#writer.isDue || this.#window.buffered.count > 0 || this.#window.next() !== undefined) return undefined;
    if (this.#unknownType !== undefined) return 'unknown type';
    return drain !== undefined && this.#exhausted && this.#failures.dueInMs !== 0 ? 'drained' : undefined;
  }

  #read(): void {
    const { count, bytes } = this.#window.buffered;
    const full = count >= this.setup.options.batchSize || bytes >= mostBufferedBytes;
    if (this.#reading || this.#exhausted || full || this.#unknownType !== undefined) return;
    this.#reading = true;
    const fail = (error: unknown) => (this.#fatal ??= { error });
    this.#addPage()
      .catch(fail)
      .finally(() => {
        this.#reading = false;
        this.#wakeUp();
      });
  }

  async #addPage(): Promise<void> {
    const page = await this.#pages.next();
    if (page.done === true) {
      this.#exhausted = !this.#over.signal.aborted;
      return;
    }
    const { checkpoint, options, work, consumer } = this.setup;
    const entries = page.value;
    const first = entries[0] as StoredEntry;
    const failed = await this.#failures.failedAmong(first._id, (entries.at(-1) as StoredEntry)._id);
    const handled = new Set(checkpoint.handled);
    for (const entry of entries) {
      const { _id: position, bytes } = entry;
      const type = entry.type as string;
      const size = Number(bytes - this.#readBytes);
      this.#readBytes = bytes;
      const filtered = options.types !== undefined && !options.types.has(type);
      if (filtered || failed.has(position) || handled.has(position)) {
        this.#window.skip({ position, bytes });
        continue;
      }
      if (!work.handles(type)) {
        this.#unknownType = type;
        this.#report(unknownType(type, consumer));
        return;
      }
      const task = logTask(entry, options.order, size);
      this.#window.add(task, bytes);
      if (this.#died?.source === 'log' && this.#died.position === position) {
        this.#died = null;
        this.#convict(task, processDied(consumer));
      }
    }
  }

  /** Messages behind a failing one of their key join it in failures, a page of them at a time. */
  #queueBlocked(): void {
    if (this.setup.options.order === 'strict' || this.#failures.isBusy) return;
    const at = new Date(this.setup.lease.serverNow());
    for (const task of this.#window.takeQueueable()) {
      this.#window.passing(task);
      this.#writer.push({
        write: {
          kind: 'add',
          position: task.position,
          state: 'queued',
          attempts: 0,
          nextAttemptAt: null,
          error: null,
          at,
        },
        committed: () => {
          this.#window.finish(task);
          this.#failures.released(task);
        },
      });
    }
  }

  #look(): void {
    if (this.#failures.isBusy || this.#writer.busy || this.#writer.hasChanges || this.#outage.isDown) return;
    if (this.#failures.dueInMs !== 0) return;
    this.#failures
      .look()
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.#wakeUp());
  }

  #dispatch(now: number): void {
    if (this.#outage.isDown) return this.#probe(now);
    const { work, options } = this.setup;
    const concurrency = work.kind === 'publish' || this.#isSolo ? 1 : options.concurrency;
    while (this.#running.size === 0 || (work.kind === 'handle' && this.#running.size < concurrency)) {
      const task = this.#runnable(this.#window.next());
      if (task === undefined) break;
      this.#start(work.kind === 'publish' ? this.#batch(task) : this.#take([task]));
    }
    // Nothing else can be begun to compare the failed messages with.
    const { graceEnds } = this.#outage;
    const stuck = this.#running.size === 0 && !this.#writer.busy && !this.#soloUnwritten;
    if (stuck && graceEnds !== undefined && now >= graceEnds) this.#apply(this.#outage.convictAll());
  }

  /** The task, if it may be begun now: within the window, and recorded as begun where it must be. */
  #runnable(task: Task | undefined): Task | undefined {
    const { options } = this.setup;
    if (task === undefined || this.#begunCount >= (options.maxMessages ?? Infinity)) return undefined;
    if (options.transactional && (this.#writer.busy || this.#writer.hasChanges)) return undefined;
    const fresh = !task.begun;
    if (fresh && this.#writer.exposed >= options.batchSize) return undefined;
    if (task.source === 'log' && task.position > this.#writer.stored.begun) return undefined;
    if (!this.#isSolo) return task;
    // Recorded by itself first, in the name of whatever is run next.
    if (this.#marked?.state === 'waiting' && this.#writer.solo?.position === this.#marked.position) {
      return this.#writer.busy || this.#writer.hasChanges || this.#soloUnwritten ? undefined : this.#marked;
    }
    this.#marked = task;
    this.#writer.solo = { position: task.position, source: task.source };
    this.#soloUnwritten = true;
    return undefined;
  }

  #soloUnwritten = false;

  /** The task and those that may be published together with it, in log order. */
  #batch(first: Task): Task[] {
    const { options } = this.setup;
    const batch = this.#take([first]);
    const room = options.batchSize - this.#writer.exposed;
    let fresh = 0;
    let bytes = first.size;
    while (!this.#isSolo && batch.length < this.#limit) {
      const next = this.#runnable(this.#window.next());
      if (next === undefined || bytes + next.size > mostBufferedBytes || fresh >= room) break;
      bytes += next.size;
      if (!next.begun) fresh += 1;
      this.#take([next]);
      batch.push(next);
    }
    return batch;
  }

  #take(tasks: Task[]): Task[] {
    for (const task of tasks) {
      if (task.source === 'failures' && !task.begun) this.#writer.recordBegun();
      this.#window.take(task, this.setup.work.kind === 'publish');
    }
    return tasks;
  }

  /** While the destination is down, one message at a time. */
  #probe(now: number): void {
    if (this.#running.size > 0) return;
    const probe = this.#outage.probe(
      now,
      () => this.#runnable(this.#window.next()),
      (accused) => {
        const other = this.#window.nextBeside(accused);
        // The window's end counts for probes as well.
        return other === undefined ? undefined : this.#runnable(other);
      },
    );
    if ('givenBack' in probe) {
      for (const task of probe.givenBack) this.#window.giveBack(task);
      return;
    }
    if (!probe.again) this.#take([probe.item]);
    else probe.item.state = 'running';
    this.#start([probe.item], true);
  }

  #start(tasks: Task[], probe = false): void {
    const order = this.#outage.start();
    const now = performance.now();
    for (const task of tasks) {
      if (task.runs === 0) this.#begunCount += 1;
      task.startedAt = now;
      task.order = order;
    }
    const { work } = this.setup;
    if (work.kind === 'publish') void this.#publish(tasks, probe);
    else void this.#handle(tasks[0] as Task, probe);
  }

  async #handle(task: Task, probe: boolean): Promise<void> {
    const { work, options, consumer, lease } = this.setup;
    if (work.kind !== 'handle') return;
    const context = { consumer, epoch: lease.epoch, attempt: task.attempt };
    const { controller, settled } = runHandler(async (signal) => {
      const messages = this.#deliver([task]);
      const message = (messages instanceof Promise ? await messages : messages)[0] as Delivered<OutboxMessage>;
      if (!options.transactional) return work.handle(message, { ...context, signal });
      return this.#handleInTransaction(task, signal, (session) =>
        work.handle(message, { ...context, signal, session }),
      );
    }, options.handlerTimeoutMs);
    this.#running.set(task, controller);
    try {
      await settled;
      if (this.#ended(task)) return;
      this.#done(task);
      this.#apply(probe ? this.#outage.probed(task, 'accepted', undefined, 0) : this.#outage.accepted(task.order));
    } catch (error) {
      if (this.#ended(task)) return;
      // A handler in a transaction can also fail for the sake of MongoDB itself.
      const refused = error instanceof Unavailable || (options.transactional && isTransient(error));
      this.#failed(task, error, probe, refused);
    } finally {
      this.#wakeUp();
    }
  }

  async #handleInTransaction(
    task: Task,
    signal: AbortSignal,
    handle: (session: ClientSession) => unknown,
  ): Promise<void> {
    const abort = aborted(signal);
    const timeout = abort.promise.then(() => {
      throw signal.reason;
    });
    timeout.catch(() => undefined);
    const progress = this.#writer.progressWith(task);
    const record = task.source === 'failures' ? task.position : undefined;
    try {
      const outcome = await handleInTransaction(
        this.host.store,
        this.#fence,
        (session) => Promise.race([handle(session), timeout]),
        progress,
        record,
      );
      if (outcome === 'lost') this.#lost = true;
      if (outcome === 'done') this.#committed = progress;
    } catch (error) {
      // Whether it was committed is not known: another epoch finds out, and keeps this one's transaction from it.
      if (hasLabel(error, 'UnknownTransactionCommitResult')) this.#lost = true;
      throw error;
    } finally {
      abort.stop();
    }
  }

  #committed: Progress | undefined;

  async #publish(tasks: Task[], probe: boolean): Promise<void> {
    const { work, consumer, lease } = this.setup;
    if (work.kind !== 'publish') return;
    const controller = new AbortController();
    for (const task of tasks) this.#running.set(task, controller);
    const order = (tasks[0] as Task).order;
    try {
      const messages = await this.#deliver(tasks);
      const result = await work.publish(messages, { consumer, epoch: lease.epoch, signal: controller.signal });
      const failed = failedPositions(result, messages);
      if (tasks.filter((task) => this.#ended(task)).length > 0) return;
      this.#limit = Math.min(this.setup.options.batchSize, this.#limit * 2);
      this.#published(tasks, failed, order, probe);
    } catch (error) {
      if (tasks.filter((task) => this.#ended(task)).length > 0) return;
      this.#refusedBatch(tasks, error, probe);
    } finally {
      this.#wakeUp();
    }
  }

  /** What was acknowledged is done, what failed by itself is set aside, and what comes behind it in its key is not done. */
  #published(tasks: readonly Task[], failed: ReadonlyMap<number, unknown>, order: number, probe: boolean): void {
    const failedKeys = new Set<string>();
    const refused: Task[] = [];
    let done = 0;
    for (const task of tasks) {
      const error = failed.get(task.position);
      const behind = task.key !== undefined && failedKeys.has(task.key);
      if (!failed.has(task.position) && !behind) {
        done += 1;
        this.#done(task);
        continue;
      }
      if (task.key !== undefined) failedKeys.add(task.key);
      if (behind) this.#window.giveBack(task);
      else if (error instanceof Unavailable) refused.push(task);
      else this.#convict(task, error);
    }
    const [only] = tasks;
    if (refused.length > 0) {
      this.#noteError(failed.get((refused[0] as Task).position));
      if (probe) this.#failed(only as Task, failed.get((only as Task).position), true, true);
      else this.#apply(this.#outage.refused(refused, performance.now()));
    } else if (probe) {
      this.#apply(
        done > 0 ? this.#outage.probed(only as Task, 'accepted', undefined, 0) : this.#outage.answered(only as Task),
      );
    } else if (done > 0) this.#apply(this.#outage.accepted(order));
  }

  /** A batch that was refused as a whole is halved, down to one message; that one is tried against another one. */
  #refusedBatch(tasks: readonly Task[], error: unknown, probe: boolean): void {
    this.#noteError(error);
    const [only] = tasks;
    if (probe) return this.#failed(only as Task, error, true, true);
    if (tasks.length > 1) {
      this.#limit = Math.ceil(tasks.length / 2);
      for (const task of tasks) this.#window.giveBack(task);
      return;
    }
    this.#limit = 1;
    (only as Task).state = 'held';
    this.#apply(this.#outage.accuse(only as Task, error, performance.now()));
  }

  /** Copies that no handler has had before: one may have changed what it was given. */
  #deliver(tasks: readonly Task[]): Delivered<OutboxMessage>[] | Promise<Delivered<OutboxMessage>[]> {
    const deliver = (task: Task) => {
      task.runs += 1;
      return this.host.deliver(task.payload as StoredEntry);
    };
    if (tasks.every(({ runs }) => runs === 0)) return tasks.map(deliver);
    return this.#reread(tasks).then(() => tasks.map(deliver));
  }

  async #reread(tasks: readonly Task[]): Promise<void> {
    const { store } = this.host;
    const again = tasks.filter(({ runs }) => runs > 0);
    const fromLog = again.filter(({ source }) => source === 'log').map(({ position }) => position);
    const entries = new Map((await readEntries(store, fromLog)).map((entry) => [entry._id, entry]));
    for (const task of again) {
      const entry =
        task.source === 'log'
          ? entries.get(task.position)
          : (await readRecord(store, this.setup.consumer, task.position))?.entry;
      task.payload = entry ?? task.payload;
    }
  }

  /** Takes a settled run out. @returns whether its outcome is of no matter any more */
  #ended(task: Task): boolean {
    const known = this.#running.delete(task);
    return !known || this.#over.signal.aborted || this.#lost || this.setup.lease.lost.aborted;
  }

  #done(task: Task): void {
    this.counts.handled += 1;
    this.#soloRecords.delete(task.position);
    if (!this.setup.options.transactional) this.#writer.solo = null;
    const committed = this.#committed;
    this.#committed = undefined;
    this.#window.finish(task);
    if (task.source === 'failures') {
      if (committed === undefined)
        this.#writer.push({
          write: { kind: 'remove', position: task.position },
          committed: () => this.#writer.recordSettled(),
        });
      else this.#writer.recordSettled();
      this.#failures.released(task);
    }
    if (committed === undefined) return;
    this.#writer.applied(committed);
    this.#tellProgress();
  }

  #failed(task: Task, error: unknown, probe: boolean, refused: boolean): void {
    this.#noteError(error);
    const now = performance.now();
    if (error instanceof PermanentError) {
      this.#convict(task, error);
      if (probe) this.#apply(this.#outage.gaveUp(task));
      return;
    }
    task.state = 'held';
    if (probe) return this.#apply(this.#outage.probed(task, 'refused', error, now));
    if (refused) return this.#apply(this.#outage.refused([task], now));
    const own = task.source === 'failures' || this.setup.options.order === 'strict';
    if (own && !this.#outage.isDown) return this.#convict(task, error);
    this.#apply(this.#outage.failed(task, error, now));
  }

  #apply({ convicted, givenBack, turned }: Verdict<Task>): void {
    for (const { item, error } of convicted) this.#convict(item, error);
    for (const task of givenBack) this.#window.giveBack(task);
    if (turned === undefined) return;
    const { consumer } = this.setup;
    this.host.emit('consumer:outage', {
      consumer,
      state: turned,
      ...(turned === 'down' ? { error: this.#lastOutage } : {}),
    });
  }

  /** It failed by itself: it is set aside, or set aside again, or becomes a dead letter. */
  #convict(task: Task, error: unknown): void {
    const { options, lease, consumer } = this.setup;
    const info = this.#noteError(error);
    const attempts = task.attempt;
    const after = afterFailure(attempts, error, options.retry);
    const at = new Date(lease.serverNow());
    const nextAttemptAt = after.state === 'dead' ? null : new Date(at.getTime() + after.delayMs);
    const told = { consumer, id: this.#idOf(task), position: task.position, type: task.type, attempt: attempts, error };
    const blocks = after.state === 'retrying' || options.onDeadLetter === 'block';
    const fromLog = task.source === 'log';
    const begun = task.begun;
    this.#soloRecords.delete(task.position);
    this.#writer.solo = null;
    if (after.state === 'dead') this.counts.dead += 1;
    else this.counts.failed += 1;
    this.#window.passing(task);
    this.#writer.push({
      write: {
        kind: fromLog ? 'add' : 'fail',
        position: task.position,
        state: after.state,
        attempts,
        nextAttemptAt,
        error: info,
        at,
      },
      committed: () => {
        if (blocks && task.lane !== undefined) this.#failures.blocked(task.lane);
        if (blocks && task.lane !== undefined && !fromLog) this.#dropRecords(task.lane);
        this.#window.finish(task);
        if (!fromLog) {
          if (begun) this.#writer.recordSettled();
          this.#failures.released(task);
        }
        if (nextAttemptAt !== null) this.#failures.schedule(nextAttemptAt);
        if (nextAttemptAt === null) this.host.emit('consumer:dead', told);
        else this.host.emit(fromLog ? 'consumer:park' : 'consumer:retry', { ...told, nextAttemptAt });
      },
    });
  }

  /** Later failures of the key wait for this one again. */
  #dropRecords(lane: string): void {
    for (const task of this.#window.dropRecords(lane)) {
      if (task.begun) this.#writer.recordSettled();
      this.#writer.push({ write: { kind: 'unbegin', position: task.position } });
    }
  }

  /** Stores the checkpoint when enough has come together, or something waits for it. */
  #store(now: number): void {
    const { options } = this.setup;
    if (this.#writer.busy || this.#failures.isBusy || now < this.#retryAt) return;
    if (options.transactional && this.#running.size > 0) return;
    const next = this.#window.next();
    const beyond =
      next?.source === 'log' &&
      next.position > this.#writer.stored.begun &&
      this.#writer.nextEnd > this.#writer.stored.begun;
    const half = this.#writer.exposed * 2 >= options.batchSize;
    if (this.#writer.isDue) this.#progressSince ??= now;
    const waited = this.#progressSince !== undefined && now >= this.#progressSince + commitDelayMs;
    const idle = this.setup.drain !== undefined && this.#running.size === 0;
    const due = this.#writer.isDue && (half || waited || idle || this.#writer.hasChanges);
    if (!due && !beyond && !this.#soloUnwritten) return;
    void this.#write().finally(() => this.#wakeUp());
  }

  async #write(): Promise<void> {
    const before = this.#writer.stored.position;
    this.#progressSince = undefined;
    this.#soloUnwritten = false;
    try {
      if (!(await this.#writer.write())) this.#lost = true;
      this.#writeFailures = 0;
      if (this.#writer.stored.position > before) this.#tellProgress();
    } catch (error) {
      if (this.#writer.solo !== null) this.#soloUnwritten = true;
      this.#retryAt = performance.now() + backoffMs(this.#writeFailures++, this.host.options.pollMinMs, 1_000);
      this.#report(error);
    }
  }

  /** The peaceful end: what waits for a verdict was not handled, and nothing repeats. */
  async #finish(end: Exclude<TermEnd, 'lost'>): Promise<TermEnd> {
    const { lease, consumer } = this.setup;
    if (this.#running.size > 0) await this.#abortRunning();
    const leftRunning = this.#running.size > 0;
    this.#over.abort();
    this.#running.clear();
    for (const task of this.#outage.release()) this.#window.giveBack(task);
    for (const lane of this.#window.blockedLanes()) this.#dropRecords(lane);
    for (const position of this.#failures.loadedAlone) this.#writer.push({ write: { kind: 'unbegin', position } });
    for (let failures = 0; ; failures += 1) {
      if (lease.lost.aborted) return 'lost';
      try {
        if (!(await this.#writer.write(true))) return 'lost';
        break;
      } catch (error) {
        this.#report(error);
        await pause(backoffMs(failures, this.host.options.pollMinMs, 1_000), lease.lost);
      }
    }
    // Another owner would run its message beside it.
    if (leftRunning) lease.finish('abandoned');
    if (end !== 'drained')
      this.host.emit('consumer:stop', { consumer, position: this.position, epoch: lease.epoch, reason: end });
    return end;
  }

  /** Handlers get a moment to react to their signal. */
  async #abortRunning(): Promise<void> {
    for (const controller of this.#running.values()) controller.abort();
    const deadline = performance.now() + abortGraceMs;
    while (this.#running.size > 0 && performance.now() < deadline) {
      this.#woken = false;
      await this.#sleep(deadline - performance.now());
    }
  }

  #tellProgress(): void {
    const { consumer, lease } = this.setup;
    this.host.emit('consumer:progress', { consumer, position: this.position, epoch: lease.epoch });
  }

  #noteError(error: unknown): ErrorInfo {
    this.#lastOutage = error;
    this.#lastError = toErrorInfo(error);
    return this.#lastError;
  }

  #report(error: unknown): void {
    this.#noteError(error);
    this.host.emit('error', { part: 'consumer', consumer: this.setup.consumer, error });
  }

  #idOf(task: Task): string {
    return task.payload === undefined ? String(task.position) : this.host.idOf(task.payload);
  }

  #wakeUp(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Until something happens, or a time is reached. */
  async #sleep(mostMs = this.#nextTimeMs()): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = mostMs === Infinity ? undefined : setTimeout(resolve, mostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #nextTimeMs(): number {
    // What is under way wakes the loop when it is over.
    if (this.#writer.busy || this.#failures.isBusy) return Infinity;
    const now = performance.now();
    if (this.#retryAt > now) return this.#retryAt - now;
    const idle = this.#running.size === 0;
    const mayStore = this.#progressSince !== undefined && (idle || !this.setup.options.transactional);
    const times = [
      idle ? this.#outage.probeAt : undefined,
      idle ? this.#outage.graceEnds : undefined,
      mayStore ? (this.#progressSince as number) + commitDelayMs : undefined,
    ];
    const waits = times.filter((time) => time !== undefined).map((time) => Math.max(0, time - now));
    const due = this.#outage.isDown || this.#writer.hasChanges ? undefined : this.#failures.dueInMs;
    return Math.min(...waits, due ?? Infinity);
  }
}

function isTransient(error: unknown): boolean {
  return hasLabel(error, 'TransientTransactionError') || hasLabel(error, 'RetryableWriteError');
}

function unknownType(type: string, consumer: string): OutboxError {
  return new OutboxError(
    'UNKNOWN_TYPE',
    `consumer "${consumer}" met a message of type "${type}", for which this process has no schema or no handler: it leaves its place to another process, passes nothing over and spends no attempt; deploy a version that knows the type, or leave it out with the option types`,
  );
}

function processDied(consumer: string): OutboxError {
  return new OutboxError(
    'PROCESS_DIED',
    `the process of consumer "${consumer}" died, or stood still for longer than its lease, while it handled this message alone`,
  );
}
