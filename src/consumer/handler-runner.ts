import type { ClientSession } from 'mongoose';
import { hasLabel, OutboxError } from '../errors.js';
import type { Delivered, OutboxMessage } from '../message.js';
import type { HandlerContext } from '../handler.js';
import { handleInTransaction } from '../store/commit-progress.js';
import type { Progress } from '../store/consumer-checkpoint.js';
import { endSessions } from '../store/term-sessions.js';
import { freshMessage, freshMessages, lazySignal, type Runner } from './runner.js';
import type { Settlement } from './settlement.js';
import type { Task } from './task.js';
import type { Run, TermState } from './term-state.js';
import type { Work } from './work.js';

/** Calls the handler, message by message. */
export class HandlerRunner implements Runner {
  readonly concurrency: number;
  readonly batchSize = 1;
  /** Those whose run is a probe. */
  readonly #probes = new WeakSet<Task>();

  constructor(
    private readonly state: TermState,
    private readonly settlement: Settlement,
    private readonly handle: Extract<Work, { kind: 'handle' }>['handle'],
    private readonly stored: (progress: Progress) => void,
  ) {
    this.concurrency = state.setup.options.concurrency;
  }

  start([task]: readonly [Task], probe: boolean): void {
    const { consumer, lease } = this.state.setup;
    const lazy = lazySignal();
    const context: HandlerContext = {
      consumer,
      epoch: lease.epoch,
      attempt: task.attempt,
      get signal() {
        return lazy.signal;
      },
    };
    if (probe) this.#probes.add(task);
    else this.#probes.delete(task);
    this.state.running.set(task, lazy);
    this.#run(task, context, lazy).catch((error: unknown) => this.state.failed(error));
  }

  timeOut(now: number): number | undefined {
    const { running, setup } = this.state;
    const { handlerTimeoutMs } = setup.options;
    for (const [task, run] of running) {
      if (now < task.startedAt + handlerTimeoutMs) return task.startedAt + handlerTimeoutMs;
      const error = timedOut(handlerTimeoutMs);
      run.abort(error);
      this.#failed(task, run, error);
    }
    return undefined;
  }

  async #run(task: Task, context: HandlerContext, run: Run): Promise<void> {
    try {
      let message = task.runs > 0 ? undefined : freshMessage(this.state, task);
      if (message === undefined) {
        const again = await freshMessages(this.state, [task]).catch((error: unknown) => this.state.failed(error));
        // Meanwhile the lease may have been lost, or its time be over.
        if (again === undefined || !this.settlement.isOn([task], run)) return void this.settlement.ended([task], run);
        [message] = again;
      }
      const progress = await this.#call(message as Delivered<OutboxMessage>, context, task);
      if (this.settlement.ended([task], run)) return;
      const { outage } = this.state;
      this.settlement.done(task, progress !== undefined);
      if (progress !== undefined) this.stored(progress);
      this.settlement.apply(
        this.#probes.has(task) ? outage.probed(task, 'accepted', undefined, 0) : outage.accepted(task.order),
      );
    } catch (error) {
      this.#failed(task, run, error);
    } finally {
      this.state.wakeUp();
    }
  }

  #failed(task: Task, run: Run, error: unknown): void {
    if (!this.settlement.ended([task], run)) this.settlement.failed(task, error, this.#probes.has(task));
  }

  /** @returns what the handler's transaction has stored, if it runs in one */
  async #call(message: Delivered<OutboxMessage>, context: HandlerContext, task: Task): Promise<Progress | undefined> {
    if (this.state.setup.options.transactional) return this.#callInTransaction(message, context, task);
    await this.handle(message, context);
    return undefined;
  }

  async #callInTransaction(
    message: Delivered<OutboxMessage>,
    context: HandlerContext,
    task: Task,
  ): Promise<Progress | undefined> {
    const { state } = this;
    const progress = state.writer.progressWith(task);
    const record = task.source === 'failures' ? task.position : undefined;
    const { signal } = context;
    let open: ClientSession | undefined;
    // The body is never left while the handler runs: what it still writes would then go outside the transaction.
    let returned = false;
    const handle = async (session: ClientSession): Promise<void> => {
      open = session;
      returned = false;
      signal.throwIfAborted();
      await this.handle(message, { ...context, signal, session });
      signal.throwIfAborted();
      returned = true;
    };
    // A handler that does not settle is not waited for: its transaction ends at once, and can't be committed.
    const aborted = new Promise<never>((_, reject) => {
      const end = () => {
        reject(signal.reason as Error);
        // It may be committed by now: the next epoch finds out.
        if (returned) state.lost = true;
        if (open !== undefined) endSessions(state.host.store, [open.id?.id]).catch(() => undefined);
      };
      signal.addEventListener('abort', end, { once: true });
    });
    try {
      const { store } = state.host;
      const run = handleInTransaction(store, state.fence, handle, progress, record, state.sessions);
      const outcome = await Promise.race([run, aborted]);
      if (outcome === 'lost') state.lost = true;
      return outcome === 'done' ? progress : undefined;
    } catch (error) {
      // Whether it was committed is not known: the next epoch finds out, and keeps this one's transaction from it.
      if (hasLabel(error, 'UnknownTransactionCommitResult')) state.lost = true;
      throw error;
    }
  }
}

function timedOut(timeoutMs: number): OutboxError {
  return new OutboxError(
    'HANDLER_TIMEOUT',
    `the handler did not settle within ${timeoutMs} ms (handlerTimeoutMs): its attempt counts as failed, and what it still returns is ignored; let it stop when context.signal aborts`,
  );
}
