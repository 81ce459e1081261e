import { pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { Progress } from '../store/consumer-checkpoint.js';
import type { FailureLoader } from './failure-loader.js';
import type { TermState } from './term-state.js';

/** Longest time, in milliseconds, that progress waits to be stored together with later progress. */
const commitDelayMs = 100;
/** Longest time, in milliseconds, between two tries to store the checkpoint. */
const mostRetryMs = 1_000;

/** When the checkpoint is stored: not for each message, as soon as something waits for it, again after an error. */
export class CheckpointTiming {
  /** Since when progress waits to be stored. */
  #progressSince: number | undefined;
  /** Not before then anything is written or looked up, after an error. */
  #retryAt = 0;
  #errors = 0;

  constructor(
    private readonly state: TermState,
    private readonly failures: FailureLoader,
  ) {}

  get retryAt(): number {
    return this.#retryAt;
  }

  /** When progress has waited long enough; undefined where none waits, or a handler's transaction keeps it. */
  get dueAt(): number | undefined {
    const { running, setup } = this.state;
    if (this.#progressSince === undefined || (setup.options.transactional && running.size > 0)) return undefined;
    return this.#progressSince + commitDelayMs;
  }

  /** The server failed: it is left alone for a moment. */
  rest(): void {
    this.#retryAt = performance.now() + mostRetryMs;
  }

  /** Stores the checkpoint when enough has come together, or something waits for it. */
  store(now: number): void {
    const { setup, window, writer, solo, running } = this.state;
    const { options, drain } = setup;
    if (writer.busy || this.failures.isBusy || now < this.#retryAt) return;
    if (options.transactional && running.size > 0) return;
    const next = window.next();
    const { begun } = writer.stored;
    const isDue = writer.isDue;
    if (!isDue) this.#progressSince = undefined;
    else this.#progressSince ??= now;
    const beyond = next?.source === 'log' && next.position > begun && writer.nextEnd > begun;
    const half = writer.exposed * 2 >= options.batchSize;
    const waited = this.dueAt !== undefined && now >= this.dueAt;
    const idle = drain !== undefined && running.size === 0;
    const due = isDue && (half || waited || idle || writer.hasChanges);
    if (due || beyond || solo.isUnwritten) void this.#write().finally(() => this.state.wakeUp());
  }

  async #write(): Promise<void> {
    const { writer } = this.state;
    const before = writer.stored.position;
    this.#progressSince = undefined;
    try {
      if (!(await writer.write())) this.state.lost = true;
      this.#errors = 0;
      if (writer.stored.position > before) this.#tellProgress();
    } catch (error) {
      this.#retryAt = performance.now() + backoffMs(this.#errors++, this.state.host.options.pollMinMs, mostRetryMs);
      this.state.report(error);
    }
  }

  /** A handler's own transaction has stored its message. */
  applied(progress: Progress): void {
    this.state.writer.applied(progress);
    this.#tellProgress();
  }

  /** Stores the checkpoint for the last time, as long as the lease allows. @returns false when the lease is lost */
  async storeLast(): Promise<boolean> {
    const { writer, host, setup } = this.state;
    const before = writer.stored.position;
    for (let errors = 0; !setup.lease.lost.aborted; errors += 1) {
      try {
        if (!(await writer.write(true))) return false;
        if (writer.stored.position > before) this.#tellProgress();
        return true;
      } catch (error) {
        this.state.report(error);
        await pause(backoffMs(errors, host.options.pollMinMs, mostRetryMs), setup.lease.lost);
      }
    }
    return false;
  }

  #tellProgress(): void {
    const { host, setup, writer } = this.state;
    const { consumer, lease } = setup;
    host.emit('consumer:progress', { consumer, position: writer.stored.position, epoch: lease.epoch });
  }
}
