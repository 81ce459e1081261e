import { Unavailable } from '../verdict.js';
import type { FailureLoader } from './failure-loader.js';
import { mostBufferedBytes } from './intake.js';
import type { Runner } from './runner.js';
import type { Settlement } from './settlement.js';
import type { Task } from './task.js';
import type { TermState } from './term-state.js';

/** Begins what may be begun: as much as fits into the window, or one probe at a time while the destination is down. */
export class Dispatcher {
  /** Different messages that were begun. */
  #begun = 0;

  constructor(
    private readonly state: TermState,
    private readonly failures: FailureLoader,
    private readonly settlement: Settlement,
    private readonly runner: Runner,
  ) {}

  /** Whether so many were begun that no more are asked for. */
  get isEnough(): boolean {
    return this.#left <= 0;
  }

  /** How many more may be begun. */
  get #left(): number {
    return (this.state.setup.options.maxMessages ?? Infinity) - this.#begun;
  }

  dispatch(now: number): void {
    const { outage, running, writer, solo, isSolo } = this.state;
    if (outage.isDown) return this.#probe(now);
    const concurrency = isSolo ? 1 : this.runner.concurrency;
    while (running.size === 0 || (this.runner.batchSize === 1 && running.size < concurrency)) {
      const task = this.#next();
      if (task === undefined) break;
      this.#start(this.#batch(task), false);
    }
    if (!outage.hasSuspects || writer.busy || solo.isUnwritten) return;
    const newest = [...running.keys()].reduce((most, { order }) => Math.max(most, order), 0);
    this.settlement.apply(outage.convictAlone(now, newest));
  }

  /** What is run next. Where the window is full, what was begun before goes on: a new one might wait for it for ever. */
  #next(): Task | undefined {
    const { window } = this.state;
    const lowest = window.next();
    const onlyBegun = lowest !== undefined && (this.#isTooMany(lowest) || (this.isEnough && !lowest.begun));
    return this.#runnable(onlyBegun ? window.nextBegun() : lowest);
  }

  /** Whether the window has no room for a new message. */
  #isTooMany(task: Task): boolean {
    const { setup, writer, running, window } = this.state;
    if (task.begun || writer.exposed < setup.options.batchSize) return false;
    // The lowest makes room for the others: it goes on all the same where nothing else is under way.
    return running.size > 0 || writer.busy || writer.isDue || !window.reach.isLowest(task);
  }

  /** The task, if it may be begun now: within the window, and recorded as begun where it must be. */
  #runnable(task: Task | undefined, beyondEnough = 0): Task | undefined {
    const { setup, writer, solo, isSolo } = this.state;
    const { options } = setup;
    if (task === undefined || (!task.begun && this.#left + beyondEnough <= 0)) return undefined;
    if (options.transactional && (writer.busy || writer.hasChanges || this.failures.isBusy)) return undefined;
    if (this.#isTooMany(task)) return undefined;
    if (task.source === 'log' && task.position > writer.stored.begun) return undefined;
    if (!isSolo) return task;
    return writer.busy || writer.hasChanges ? undefined : solo.ask(task);
  }

  /** Takes the task, and those that may be run together with it, in log order. */
  #batch(first: Task): Task[] {
    const { window, isSolo } = this.state;
    const most = isSolo ? 1 : this.runner.batchSize;
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
    const { window, writer } = this.state;
    if (task.source === 'failures' && !task.begun) writer.recordBegun();
    if (!task.begun) this.#begun += 1;
    window.take(task, this.runner.batchSize > 1);
  }

  /** While the destination is down, one message at a time. */
  #probe(now: number): void {
    const { outage, running, window, writer, solo, setup } = this.state;
    if (running.size > 0) return;
    // What its transaction stores must not pass what is still to be written.
    if (setup.options.transactional && (writer.busy || writer.hasChanges || this.failures.isBusy)) return;
    const probe = outage.probe(
      now,
      () => this.#next(),
      ({ item: accused, error }, tried) => {
        const other = window.nextBeside(accused, tried);
        if (other === undefined) return undefined;
        // Beyond the window, which the accused one keeps from moving, there is nothing to wait for; a mark is asked for here.
        // A message that can't be compared would be accused anew with each drain, and get no further.
        const runnable = this.#runnable(other, error instanceof Unavailable ? 0 : 1);
        const comes = writer.busy || writer.hasChanges || this.failures.isBusy || solo.isUnwritten;
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
    const order = this.state.outage.start();
    const now = performance.now();
    for (const task of tasks) {
      task.startedAt = now;
      task.order = order;
    }
    this.runner.start(tasks, probe);
  }
}
