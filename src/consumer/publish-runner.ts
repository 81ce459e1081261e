import { Unavailable } from '../verdict.js';
import { freshMessages, lazySignal, type Runner } from './runner.js';
import type { Settlement } from './settlement.js';
import type { Task } from './task.js';
import type { TermState } from './term-state.js';
import { failedPositions, type Work } from './work.js';

/** A window of up to so many messages is published whole. */
const largestWhole = 500;

/**
 * How many messages one publish takes at most. A larger window goes in halves, so that one is on its way while the
 * checkpoint of the other is stored: see docs/adr/0008-publish-half-of-the-window.md.
 */
export function mostPerPublish(batchSize: number): number {
  return batchSize > largestWhole ? Math.ceil(batchSize / 2) : batchSize;
}

/** Publishes batches, one at a time. */
export class PublishRunner implements Runner {
  readonly concurrency = 1;
  readonly #most: number;
  /** Halved when a batch is refused as a whole, doubled when one is taken. */
  #batchSize: number;

  constructor(
    private readonly state: TermState,
    private readonly settlement: Settlement,
    private readonly publish: Extract<Work, { kind: 'publish' }>['publish'],
  ) {
    this.#most = mostPerPublish(state.setup.options.batchSize);
    this.#batchSize = this.#most;
  }

  get batchSize(): number {
    return this.#batchSize;
  }

  start(tasks: readonly Task[], probe: boolean): void {
    const lazy = lazySignal();
    for (const task of tasks) this.state.running.set(task, lazy);
    this.#run(tasks, probe, lazy).catch((error: unknown) => this.state.failed(error));
  }

  timeOut(): undefined {
    return undefined;
  }

  async #run(tasks: readonly Task[], probe: boolean, lazy: ReturnType<typeof lazySignal>): Promise<void> {
    const { consumer, lease } = this.state.setup;
    const context = {
      consumer,
      epoch: lease.epoch,
      get signal() {
        return lazy.signal;
      },
    };
    try {
      const messages = await freshMessages(this.state, tasks).catch((error: unknown) => this.state.failed(error));
      // Meanwhile the lease may have been lost.
      if (messages === undefined || !this.settlement.isOn(tasks, lazy)) return void this.settlement.ended(tasks, lazy);
      const failed = failedPositions(await this.publish(messages, context), messages);
      if (this.settlement.ended(tasks, lazy)) return;
      this.#batchSize = Math.min(this.#most, this.#batchSize * 2);
      this.#published(tasks, failed, probe);
    } catch (error) {
      if (!this.settlement.ended(tasks, lazy)) this.#refused(tasks, error, probe);
    } finally {
      this.state.wakeUp();
    }
  }

  /** What was acknowledged is done, what failed by itself is set aside, and what comes behind it in its key is not done. */
  #published(tasks: readonly Task[], failed: ReadonlyMap<number, unknown>, probe: boolean): void {
    const { outage, window } = this.state;
    const [first] = tasks as readonly [Task];
    const failedKeys = new Set<string>();
    const unavailable: Task[] = [];
    let done = 0;
    for (const task of tasks) {
      const { key, position } = task;
      const behind = key !== undefined && failedKeys.has(key);
      if (!failed.has(position) && !behind) {
        done += 1;
        this.settlement.done(task);
        continue;
      }
      if (key !== undefined) failedKeys.add(key);
      if (behind || this.state.aborted) window.giveBack(task);
      else if (failed.get(position) instanceof Unavailable) unavailable.push(task);
      else this.settlement.convict(task, failed.get(position));
    }
    const [refused] = unavailable;
    if (refused !== undefined) {
      const error = failed.get(refused.position);
      if (probe) this.settlement.failed(refused, error, true);
      else {
        this.state.noteError(error);
        this.settlement.apply(outage.refused(unavailable, performance.now()), error);
      }
    } else if (probe) {
      this.settlement.apply(done > 0 ? outage.probed(first, 'accepted', undefined, 0) : outage.answered(first));
    } else if (done > 0) this.settlement.apply(outage.accepted(first.order));
  }

  /**
   * A batch that was refused as a whole is halved, down to one message; that one is tried against another one. Where the
   * destination says that it is down, there is nothing to find out.
   */
  #refused(tasks: readonly Task[], error: unknown, probe: boolean): void {
    const { outage, window } = this.state;
    const [first] = tasks as readonly [Task];
    if (probe) return this.settlement.failed(first, error, true);
    if (!this.state.aborted) this.state.noteError(error);
    if (error instanceof Unavailable && !this.state.aborted)
      return this.settlement.apply(outage.refused(tasks, performance.now()), error);
    this.#batchSize = Math.ceil(tasks.length / 2);
    if (tasks.length > 1 || this.state.aborted) {
      for (const task of tasks) window.giveBack(task);
      return;
    }
    // One that has failed by itself before, and nothing to compare it with.
    if (first.source === 'failures' && window.nextBeside(first) === undefined)
      return this.settlement.convict(first, error);
    first.state = 'held';
    this.settlement.apply(outage.accuse(first, error, performance.now()), error);
  }
}
