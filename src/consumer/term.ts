import type { ErrorInfo } from '../handler.js';
import { CheckpointTiming } from './checkpoint-timing.js';
import { Dispatcher } from './dispatcher.js';
import { FailureLoader } from './failure-loader.js';
import { HandlerRunner } from './handler-runner.js';
import { Intake, unknownType } from './intake.js';
import { PublishRunner } from './publish-runner.js';
import { recheckSolo, recover } from './recovery.js';
import type { Runner } from './runner.js';
import { Settlement } from './settlement.js';
import { TermState, type TermHost, type TermSetup } from './term-state.js';

/** Why a term ended. */
export type TermEnd = 'closed' | 'request' | 'unknown type' | 'lost' | 'drained';

/** How long, in milliseconds, a handler has to react to its aborted signal before its message may go to another owner. */
const abortGraceMs = 1_000;
/** Most messages that join the failures of their keys in one write: others, such as each message in solo mode, wait for it. */
const queuedAtOnce = 100;
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
  /** Messages that are on their way to the failures of their keys. */
  #queueing = 0;
  readonly #dispatcher: Dispatcher;
  readonly #timing: CheckpointTiming;
  /** When the next handler has taken too long. */
  #timesOutAt: number | undefined;
  /** When the loop last looked, by the monotonic clock. */
  #actedAt = 0;

  constructor(host: TermHost, setup: TermSetup) {
    const state = new TermState(host, setup);
    const { lease, work, options, consumer } = setup;
    this.#state = state;
    this.#failures = new FailureLoader(state.sessions, state.window, state.writer, {
      consumer,
      order: options.order,
      deadBlocks: options.onDeadLetter === 'block',
      handles: (type) => work.handles(type),
      serverNow: () => lease.serverNow(),
      isSolo: () => state.isSolo,
      waits: (position) => state.solo.forget(position),
      onUnknown: (record) => state.report(unknownType(record.entry.type as string, consumer)),
    });
    this.#timing = new CheckpointTiming(state, this.#failures);
    this.#settlement = new Settlement(state, this.#failures);
    this.#intake = new Intake(state, this.#failures, this.#settlement);
    this.#runner =
      work.kind === 'publish'
        ? new PublishRunner(state, this.#settlement, work.publish)
        : new HandlerRunner(state, this.#settlement, work.handle, (progress) => this.#timing.applied(progress));
    this.#dispatcher = new Dispatcher(state, this.#failures, this.#settlement, this.#runner);
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
    void recheckSolo(this.#state).catch((error: unknown) => {
      if (!this.#state.over.signal.aborted) this.#state.report(error);
    });
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
      state.sessions.close();
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
    this.#dispatcher.dispatch(now);
    this.#timesOutAt ??= this.#runner.timeOut(now);
    this.#timing.store(now);
    return this.#ending();
  }

  /** Why the term ends by itself, if nothing is left that it could do. */
  #ending(): TermEnd | undefined {
    const { running, outage, writer, window, setup } = this.#state;
    const { drain } = setup;
    if (running.size > 0 || outage.hasSuspects || writer.busy || this.#failures.isBusy) return undefined;
    if (drain !== undefined && this.#dispatcher.isEnough && window.nextBegun() === undefined) return 'drained';
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
    if (now < this.#timing.retryAt || this.#failures.dueInMs !== 0) return;
    this.#failures
      .look()
      .catch((error: unknown) => {
        // Its session has ended with the term.
        if (this.#state.over.signal.aborted) return;
        this.#timing.rest();
        this.#state.report(error);
      })
      .finally(() => this.#state.wakeUp());
  }

  /** Messages behind a failing one of their key join it in failures, many at a time. */
  #queueBlocked(): void {
    const { setup, window, writer, running } = this.#state;
    if (setup.options.order === 'strict' || this.#failures.isBusy) return;
    // A handler's transaction would pass them before they are written.
    if (setup.options.transactional && running.size > 0) return;
    const tasks = window.takeQueueable(queuedAtOnce - this.#queueing);
    if (tasks.length === 0) return;
    const queued = { state: 'queued', attempts: 0, nextAttemptAt: null, error: null } as const;
    const at = new Date(setup.lease.serverNow());
    for (const task of tasks) {
      window.passing(task);
      writer.push({
        write: { kind: 'add', position: task.position, ...queued, at },
        committed: () => {
          this.#queueing -= 1;
          window.finish(task);
        },
      });
    }
    this.#queueing += tasks.length;
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
    if (!(await this.#timing.storeLast())) return 'lost';
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

  /** Milliseconds until there is something to do, should nothing happen before. */
  #nextTimeMs(): number {
    const { writer, outage, running, window } = this.#state;
    const now = performance.now();
    const idle = running.size === 0;
    const times = [this.#timesOutAt];
    // What is under way wakes the loop when it is over.
    if (!writer.busy && !this.#failures.isBusy) {
      if (this.#timing.retryAt > now) times.push(this.#timing.retryAt);
      else {
        times.push(outage.graceEnds);
        if (idle) times.push(outage.probeAt);
        times.push(this.#timing.dueAt);
        const due = outage.isDown && window.next() !== undefined ? undefined : this.#failures.dueInMs;
        if (due !== undefined) times.push(now + due + 1);
      }
    }
    // What could not be done though its time had come waits for something else to happen.
    const coming = times.filter((time) => time !== undefined && time > this.#actedAt);
    return Math.max(0, Math.min(...coming.map((time) => (time as number) - now)));
  }
}
