import { hasLabel } from '../errors.js';
import { Unavailable, PermanentError } from '../verdict.js';
import type { FailureLoader } from './failure-loader.js';
import type { Verdict } from './outage.js';
import { afterFailure } from './retry-plan.js';
import type { Task } from './task.js';
import type { Run, TermState } from './term-state.js';

/** What becomes of messages once their run has an outcome. */
export class Settlement {
  constructor(
    private readonly state: TermState,
    private readonly failures: FailureLoader,
  ) {}

  /** Whether the run has not timed out, been given up, or lost its lease. */
  isOn(tasks: readonly Task[], run: Run): boolean {
    const { running, over, isLost, aborted } = this.state;
    return tasks.every((task) => running.get(task) === run) && !over.signal.aborted && !isLost && !aborted;
  }

  /** Takes out a run that has settled. @returns whether its outcome is of no matter any more: it timed out, or the lease is lost */
  ended(tasks: readonly Task[], run: Run): boolean {
    const { state } = this;
    // One that timed out may have been started anew meanwhile.
    const known = tasks.every((task) => state.running.get(task) === run);
    if (!known) return true;
    for (const task of tasks) state.running.delete(task);
    return state.over.signal.aborted || state.isLost;
  }

  /** @param stored whether the handler's own transaction has removed its failure already */
  done(task: Task, stored = false): void {
    const { window, writer, solo, counts } = this.state;
    counts.handled += 1;
    solo.settled(task);
    window.finish(task);
    if (task.source === 'log') return;
    window.reach.endedApart(task.position);
    this.failures.settling(task);
    const removed = () => {
      writer.recordSettled();
      this.failures.settled(task);
    };
    if (stored) removed();
    else writer.push({ write: { kind: 'remove', position: task.position }, committed: removed });
  }

  /** A run of a single message failed, or was a probe that was refused. */
  failed(task: Task, error: unknown, probe: boolean): void {
    const { outage, setup, window } = this.state;
    const now = performance.now();
    if (this.state.aborted) return window.giveBack(task);
    this.state.noteError(error);
    if (error instanceof PermanentError) {
      this.convict(task, error);
      if (probe) this.apply(outage.gaveUp(task), error);
      return;
    }
    task.state = 'held';
    if (probe) return this.apply(outage.probed(task, 'refused', error, now), error);
    // A handler in a transaction can also fail for the sake of MongoDB itself.
    if (error instanceof Unavailable || (setup.options.transactional && isTransient(error)))
      return this.apply(outage.refused([task], now), error);
    if (outage.isDown) return window.giveBack(task);
    const own = task.source === 'failures' || setup.options.order === 'strict';
    if (own) return this.convict(task, error);
    this.apply(outage.failed(task, error, now), error);
  }

  apply({ convicted, givenBack, turned }: Verdict<Task>, cause?: unknown): void {
    const { window, host, setup } = this.state;
    for (const { item, error } of convicted) this.convict(item, error);
    for (const task of givenBack) window.giveBack(task);
    if (turned === undefined) return;
    const error = turned === 'down' ? { error: cause } : {};
    host.emit('consumer:outage', { consumer: setup.consumer, state: turned, ...error });
  }

  /** It failed by itself: it is set aside, or set aside again, or becomes a dead letter. */
  convict(task: Task, error: unknown): void {
    const { window, writer, solo, counts, host, setup } = this.state;
    const { options, lease, consumer } = setup;
    const { position, lane, begun, type, attempt } = task;
    const after = afterFailure(attempt, error, options.retry);
    const at = new Date(lease.serverNow());
    const nextAttemptAt = after.state === 'dead' ? null : new Date(at.getTime() + after.delayMs);
    const told = { consumer, id: this.state.idOf(task), position, type, attempt, error };
    const fromLog = task.source === 'log';
    solo.settled(task);
    counts[after.state === 'dead' ? 'dead' : 'failed'] += 1;
    window.passing(task);
    if (!fromLog) this.failures.settling(task);
    writer.push({
      write: {
        kind: fromLog ? 'add' : 'fail',
        position,
        state: after.state,
        attempts: attempt,
        nextAttemptAt,
        error: this.state.noteError(error),
        at,
      },
      committed: () => {
        if (lane !== undefined && (after.state === 'retrying' || options.onDeadLetter === 'block')) {
          window.block(lane);
          // Later failures of the key wait for this one again.
          if (!fromLog) this.#dropRecords(lane);
        }
        window.finish(task);
        if (!fromLog) {
          if (begun) writer.recordSettled();
          this.failures.settled(task);
        }
        if (nextAttemptAt === null) return host.emit('consumer:dead', told);
        this.failures.schedule(nextAttemptAt);
        host.emit(attempt === 1 ? 'consumer:park' : 'consumer:retry', { ...told, nextAttemptAt });
      },
    });
  }

  #dropRecords(lane: string): void {
    const { window, writer, solo } = this.state;
    for (const task of window.dropRecords(lane)) {
      if (task.begun) writer.recordSettled();
      // It was not in flight when an earlier owner died: the one before it was.
      solo.settled(task);
      writer.push({ write: { kind: 'unbegin', position: task.position } });
    }
  }
}

function isTransient(error: unknown): boolean {
  return hasLabel(error, 'TransientTransactionError') || hasLabel(error, 'RetryableWriteError');
}
