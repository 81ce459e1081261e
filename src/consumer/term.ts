import type { ErrorInfo } from '../handler.js';
import { pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { Progress } from '../store/consumer-checkpoint.js';
import { FailureLoader } from './failure-loader.js';
import { HandlerRunner } from './handler-runner.js';
import { Intake, mostBufferedBytes, unknownType } from './intake.js';
import { PublishRunner } from './publish-runner.js';
import { recheckSolo, recover } from './recovery.js';
import type { Runner } from './runner.js';
import { Settlement } from './settlement.js';
import type { Task } from './task.js';
import { TermState, type TermHost, type TermSetup } from './term-state.js';

/** Why a term ended. */
export type TermEnd = 'closed' | 'request' | 'unknown type' | 'lost' | 'drained';

/** Longest time, in milliseconds, that progress waits to be stored together with later progress. */
const commitDelayMs = 100;
/** How long, in milliseconds, a handler has to react to its aborted signal before its message may go to another owner. */
const abortGraceMs = 1_000;
/** Longest time, in milliseconds, between two tries to store the checkpoint. */
const mostRetryMs = 1_000;
/** Most messages in flight that are told of. */
const mostTold = 20;

/**
 * Runs the messages of one consumer while its lease is held. One loop: everything that happens outside (a page was
 * read, a handler settled, the checkpoint was stored, a time was reached) wakes it, and it does whatever can be done.
 */
export class Term {
  readonly #state: TermState;
  readonly #failures: FailureLoader;
  readonly #settlement: Settlement;
  readonly #intake: Intake;
  readonly #runner: Runner;
  #requested = false;
  /** Different messages that were begun. */
  #begun = 0;
  /** Since when progress waits to be stored. */
  #progressSince: number | undefined;
  /** Not before then the checkpoint is stored again, after an error. */
  #retryAt = 0;
  #writeErrors = 0;
  #timesOutAt: number | undefined;
  #actedAt = 0;

  constructor(host: TermHost, setup: TermSetup) {
    const state = new TermState(host, setup);
    const { lease, work, options, consumer } = setup;
    this.#state = state;
    this.#failures = new FailureLoader(host.store, state.window, state.writer, {
      consumer,
      order: options.order,
      deadBlocks: options.onDeadLetter === 'block',
      handles: (type) => work.handles(type),
      serverNow: () => lease.serverNow(),
      isSolo: () => state.isSolo,
      waits: (position) => state.solo.forget(position),
      onUnknown: (record) => state.report(unknownType(record.entry.type as string, consumer)),
    });
    this.#settlement = new Settlement(state, this.#failures);
    this.#intake = new Intake(state, this.#failures, this.#settlement);
    this.#runner =
      work.kind === 'publish'
        ? new PublishRunner(state, this.#settlement, work.publish)
        : new HandlerRunner(state, this.#settlement, work.handle, (progress) => this.#applied(progress));
  }

  get counts(): Readonly<{ handled: number; failed: number; dead: number }> {
    return this.#state.counts;
  }

  get nextAttemptAt(): Date | null {
    const due = this.#failures.nextDue;
    return due === undefined ? null : new Date(due);
  }

  get lastError(): ErrorInfo | null {
    return this.#state.lastError;
  }

  /** What is told of it with each renewal of the lease. */
  report(): { epoch: number; state: string; lastError: ErrorInfo | null; inFlight: object[] } {
    const now = performance.now();
    const inFlight = [...this.#state.running.keys()].slice(0, mostTold).map((task) => ({
      position: task.position,
      id: this.#state.idOf(task),
      attempt: task.attempt,
      sinceMs: Math.round(now - task.startedAt),
    }));
    const { epoch } = this.#state.setup.lease;
    return { epoch, state: this.#told, lastError: this.#state.lastError, inFlight };
  }

  /** Somebody wants to pause, rewind or remove the consumer. */
  request(): void {
    this.#requested = true;
    this.#state.wakeUp();
  }

  /** Somebody changed failures. */
  reloadFailures(): void {
    this.#failures.reload();
    void recheckSolo(this.#state).catch((error: unknown) => this.#state.report(error));
    this.#state.wakeUp();
  }

  /** Runs messages until it is stopped, the lease is lost or it can't go on. Rejects with what makes it impossible. */
  async run(): Promise<TermEnd> {
    const state = this.#state;
    const { lease, stop, abort } = state.setup;
    const wake = () => state.wakeUp();
    for (const signal of [lease.lost, stop, abort]) signal.addEventListener('abort', wake);
    try {
      await recover(state, this.#failures, this.#settlement);
      for (;;) {
        state.looked();
        const end = this.#act();
        if (end === 'lost') {
          // The next owner must wait for what is left of the lease anyway: the handlers may use that to stop.
          if (lease.end === 'expired') await this.#abortRunning(state.host.options.leaseMs / 3);
          return end;
        }
        if (end !== undefined) return await this.#finish(end);
        await state.sleep(this.#nextTimeMs());
      }
    } catch (error) {
      // Nobody else may run what is still running here.
      if (state.running.size > 0) await this.#abortRunning(abortGraceMs);
      if (state.running.size > 0) lease.finish('abandoned');
      throw error;
    } finally {
      for (const signal of [lease.lost, stop, abort]) signal.removeEventListener('abort', wake);
      state.over.abort();
      for (const run of state.running.values()) run.abort();
      this.#intake.close();
    }
  }

  get #told(): string {
    const { outage, window, running, setup } = this.#state;
    if (outage.isDown) return 'backing-off';
    if (this.#intake.unknownType !== undefined && window.buffered.count === 0) return 'blocked';
    const { order, onDeadLetter } = setup.options;
    const waits = order === 'strict' && onDeadLetter === 'block' && window.blockedLanes().length > 0;
    return waits && this.#failures.nextDue === undefined && running.size === 0 ? 'blocked' : 'running';
  }

  /** Does what can be done. @returns why the term ends, if it does */
  #act(): TermEnd | undefined {
    const state = this.#state;
    const { stop, abort } = state.setup;
    const now = performance.now();
    this.#actedAt = now;
    if (state.fatal !== undefined) throw state.fatal.error;
    if (state.isLost) return 'lost';
    this.#timesOutAt = this.#runner.timeOut(now);
    const end = stop.aborted ? 'closed' : this.#requested ? 'request' : undefined;
    if (end !== undefined) {
      const busy = state.writer.busy || this.#failures.isBusy;
      return !busy && (state.running.size === 0 || abort.aborted) ? end : undefined;
    }
    this.#intake.read();
    this.#look(now);
    this.#queueBlocked();
    this.#dispatch(now);
    this.#store(now);
    return this.#ending();
  }

  /** Why the term ends by itself, if nothing is left that it could do. */
  #ending(): TermEnd | undefined {
    const { running, outage, writer, window, setup } = this.#state;
    const { drain, options } = setup;
    if (running.size > 0 || outage.hasSuspects || writer.busy || this.#failures.isBusy) return undefined;
    if (drain !== undefined && this.#begun >= (options.maxMessages ?? Infinity)) return 'drained';
    if (drain?.patient === false && outage.refusedRounds > 0) return 'drained';
    if (writer.isDue || window.buffered.count > 0 || window.next() !== undefined) return undefined;
    if (this.#intake.unknownType !== undefined) return 'unknown type';
    return drain !== undefined && this.#intake.isExhausted && this.#failures.dueInMs !== 0 ? 'drained' : undefined;
  }

  /** Looks up failures that are due, before anything else is written. */
  #look(now: number): void {
    const { writer, outage, running, setup, window } = this.#state;
    if (this.#failures.isBusy || writer.busy) return;
    // Retries wait for the end of an outage, unless there is nothing else to find it with.
    if (outage.isDown && window.next() !== undefined) return;
    // Its own transaction removes a failure that is looked up meanwhile.
    if (setup.options.transactional && running.size > 0) return;
    if (now < this.#retryAt || this.#failures.dueInMs !== 0) return;
    this.#failures
      .look()
      .catch((error: unknown) => {
        this.#retryAt = performance.now() + mostRetryMs;
        this.#state.report(error);
      })
      .finally(() => this.#state.wakeUp());
  }

  /** Messages behind a failing one of their key join it in failures, a page of them at a time. */
  #queueBlocked(): void {
    const { setup, window, writer, running } = this.#state;
    if (setup.options.order === 'strict' || this.#failures.isBusy) return;
    // A handler's transaction would pass them before they are written.
    if (setup.options.transactional && running.size > 0) return;
    const tasks = window.takeQueueable();
    if (tasks.length === 0) return;
    const queued = { state: 'queued', attempts: 0, nextAttemptAt: null, error: null } as const;
    const at = new Date(setup.lease.serverNow());
    for (const task of tasks) {
      window.passing(task);
      writer.push({
        write: { kind: 'add', position: task.position, ...queued, at },
        committed: () => window.finish(task),
      });
    }
  }

  #dispatch(now: number): void {
    const { outage, running, writer, solo, isSolo } = this.#state;
    if (outage.isDown) return this.#probe(now);
    const concurrency = isSolo ? 1 : this.#runner.concurrency;
    while (running.size === 0 || (this.#runner.batchSize === 1 && running.size < concurrency)) {
      const task = this.#next();
      if (task === undefined) break;
      this.#start(this.#batch(task), false);
    }
    if (!outage.hasSuspects || writer.busy || solo.isUnwritten) return;
    const newest = [...running.keys()].reduce((most, { order }) => Math.max(most, order), 0);
    this.#settlement.apply(outage.convictAlone(now, newest));
  }

  /** What is run next. Where the window is full, what was begun before goes on: a new one might wait for it for ever. */
  #next(): Task | undefined {
    const { window } = this.#state;
    const lowest = window.next();
    return this.#runnable(lowest !== undefined && this.#isTooMany(lowest) ? window.nextBegun() : lowest);
  }

  /** Whether the window has no room for a new message. */
  #isTooMany(task: Task): boolean {
    const { setup, writer, running, window } = this.#state;
    if (task.begun || writer.exposed < setup.options.batchSize) return false;
    // The lowest makes room for the others: it goes on all the same where nothing else is under way.
    return running.size > 0 || writer.busy || writer.isDue || !window.isLowest(task);
  }

  /** The task, if it may be begun now: within the window, and recorded as begun where it must be. */
  #runnable(task: Task | undefined): Task | undefined {
    const { setup, writer, solo, isSolo } = this.#state;
    const { options } = setup;
    if (task === undefined || this.#begun >= (options.maxMessages ?? Infinity)) return undefined;
    if (options.transactional && (writer.busy || writer.hasChanges || this.#failures.isBusy)) return undefined;
    if (this.#isTooMany(task)) return undefined;
    if (task.source === 'log' && task.position > writer.stored.begun) return undefined;
    if (!isSolo) return task;
    return writer.busy || writer.hasChanges ? undefined : solo.ask(task);
  }

  /** Takes the task, and those that may be run together with it, in log order. */
  #batch(first: Task): Task[] {
    const { window, isSolo } = this.#state;
    const most = isSolo ? 1 : this.#runner.batchSize;
    const batch: Task[] = [];
    let bytes = 0;
    for (let task: Task | undefined = first; task !== undefined; task = this.#next()) {
      if (batch.length > 0 && bytes + task.size > mostBufferedBytes) break;
      bytes += task.size;
      batch.push(task);
      this.#take(task);
      if (batch.length >= most) break;
    }
    window.closeBatch(batch);
    return batch;
  }

  #take(task: Task): void {
    const { window, writer } = this.#state;
    if (task.source === 'failures' && !task.begun) writer.recordBegun();
    if (!task.begun) this.#begun += 1;
    window.take(task, this.#runner.batchSize > 1);
  }

  /** While the destination is down, one message at a time. */
  #probe(now: number): void {
    const { outage, running, window, writer, solo, setup } = this.#state;
    if (running.size > 0) return;
    // What its transaction stores must not pass what is still to be written.
    if (setup.options.transactional && (writer.busy || writer.hasChanges || this.#failures.isBusy)) return;
    const probe = outage.probe(
      now,
      () => this.#next(),
      (accused, tried) => {
        const other = window.nextBeside(accused, tried);
        if (other === undefined) return undefined;
        // Beyond the window, which the accused one keeps from moving, there is nothing to wait for; a mark is asked for here.
        const runnable = this.#runnable(other);
        const comes = writer.busy || writer.hasChanges || this.#failures.isBusy || solo.isUnwritten;
        return runnable ?? (comes ? 'later' : undefined);
      },
    );
    if (probe === 'later') return;
    if ('givenBack' in probe) {
      for (const task of probe.givenBack) window.giveBack(task);
      return;
    }
    if (probe.again) probe.item.state = 'running';
    else {
      this.#take(probe.item);
      window.closeBatch([probe.item]);
    }
    this.#start([probe.item], true);
  }

  #start(tasks: readonly Task[], probe: boolean): void {
    const order = this.#state.outage.start();
    const now = performance.now();
    for (const task of tasks) {
      task.startedAt = now;
      task.order = order;
    }
    this.#runner.start(tasks, probe);
    this.#timesOutAt ??= this.#runner.timeOut(now);
  }

  /** Stores the checkpoint when enough has come together, or something waits for it. */
  #store(now: number): void {
    const { setup, window, writer, solo, running } = this.#state;
    const { options, drain } = setup;
    if (writer.busy || this.#failures.isBusy || now < this.#retryAt) return;
    if (options.transactional && running.size > 0) return;
    const next = window.next();
    const { begun } = writer.stored;
    const isDue = writer.isDue;
    if (!isDue) this.#progressSince = undefined;
    else this.#progressSince ??= now;
    const beyond = next?.source === 'log' && next.position > begun && writer.nextEnd > begun;
    const half = writer.exposed * 2 >= options.batchSize;
    const waited = this.#progressSince !== undefined && now >= this.#progressSince + commitDelayMs;
    const idle = drain !== undefined && running.size === 0;
    const due = isDue && (half || waited || idle || writer.hasChanges);
    if (due || beyond || solo.isUnwritten) void this.#write().finally(() => this.#state.wakeUp());
  }

  async #write(): Promise<void> {
    const { writer } = this.#state;
    const before = writer.stored.position;
    this.#progressSince = undefined;
    try {
      if (!(await writer.write())) this.#state.lost = true;
      this.#writeErrors = 0;
      if (writer.stored.position > before) this.#tellProgress();
    } catch (error) {
      this.#retryAt =
        performance.now() + backoffMs(this.#writeErrors++, this.#state.host.options.pollMinMs, mostRetryMs);
      this.#state.report(error);
    }
  }

  /** A handler's own transaction has stored its message. */
  #applied(progress: Progress): void {
    this.#state.writer.applied(progress);
    this.#tellProgress();
  }

  /** The peaceful end: what waits for a verdict was not handled, and nothing repeats. */
  async #finish(end: Exclude<TermEnd, 'lost'>): Promise<TermEnd> {
    const { running, over, outage, window, writer, setup, host } = this.#state;
    const { lease, consumer } = setup;
    await this.#abortRunning(setup.abortGraceMs ?? abortGraceMs);
    const leftRunning = running.size > 0;
    over.abort();
    running.clear();
    for (const task of outage.release()) window.giveBack(task);
    if (this.#failures.hasBegun) writer.push({ write: { kind: 'unbegin all' } });
    const before = writer.stored.position;
    for (let errors = 0; ; errors += 1) {
      if (lease.lost.aborted) return 'lost';
      try {
        if (!(await writer.write(true))) return 'lost';
        break;
      } catch (error) {
        this.#state.report(error);
        await pause(backoffMs(errors, host.options.pollMinMs, mostRetryMs), lease.lost);
      }
    }
    if (writer.stored.position > before) this.#tellProgress();
    // Another owner would run its message beside it.
    if (leftRunning) lease.finish('abandoned');
    const { position } = writer.stored;
    // A drain has its report, and tells neither of its start nor of its end.
    if (setup.drain === undefined && end !== 'drained')
      host.emit('consumer:stop', { consumer, position, epoch: lease.epoch, reason: end });
    return end;
  }

  /** Handlers get a moment to react to their signal. */
  async #abortRunning(graceMs: number): Promise<void> {
    const state = this.#state;
    state.aborted = true;
    for (const run of state.running.values()) run.abort();
    const deadline = performance.now() + graceMs;
    while (state.running.size > 0 && performance.now() < deadline) {
      state.looked();
      await state.sleep(Math.max(0, deadline - performance.now()));
    }
  }

  #tellProgress(): void {
    const { host, setup, writer } = this.#state;
    const { consumer, lease } = setup;
    host.emit('consumer:progress', { consumer, position: writer.stored.position, epoch: lease.epoch });
  }

  /** Milliseconds until there is something to do, should nothing happen before. */
  #nextTimeMs(): number {
    const { writer, outage, running, setup, window } = this.#state;
    const now = performance.now();
    const idle = running.size === 0;
    const times = [this.#timesOutAt];
    // What is under way wakes the loop when it is over.
    if (!writer.busy && !this.#failures.isBusy) {
      if (this.#retryAt > now) times.push(this.#retryAt);
      else {
        times.push(outage.graceEnds);
        if (idle) times.push(outage.probeAt);
        const mayStore = this.#progressSince !== undefined && (idle || !setup.options.transactional);
        if (mayStore) times.push((this.#progressSince as number) + commitDelayMs);
        const due = outage.isDown && window.next() !== undefined ? undefined : this.#failures.dueInMs;
        if (due !== undefined) times.push(now + due + 1);
      }
    }
    // What could not be done though its time had come waits for something else to happen.
    const coming = times.filter((time) => time !== undefined && time > this.#actedAt);
    return Math.max(0, Math.min(...coming.map((time) => (time as number) - now)));
  }
}
