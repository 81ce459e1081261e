import { campaign } from '../election/campaign.js';
import type { Standby } from '../election/standby.js';
import type { Emit } from '../events.js';
import { anyOf, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { HeldLease } from '../internal/held-lease.js';
import type { ResolvedOptions } from '../options.js';
import type { LeaseClaim } from '../store/lease.js';
import { hasPending, readClusterTime } from '../store/pending-cutoff.js';
import type { Store } from '../store/store.js';
import { LogMover } from './log-mover.js';

/** The document of the sequencer's lease in `<name>.state`. */
export const sequencerLease = 'sequencer';

/**
 * Takes part in the election, and moves messages while elected.
 *
 * idle -> standing by (another is the sequencer) <-> leading -> closed
 */
export class Sequencer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #lease: HeldLease | undefined;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly owner: string,
    private readonly standby: Standby,
    private readonly emit: Emit,
  ) {}

  /** Begins to take part; further calls change nothing. */
  start(): void {
    if (!this.#stop.signal.aborted) this.#running ??= this.#run();
  }

  /**
   * Resolves when everything that is pending now is in the log, whoever moved it, or when the signal aborts. Takes part in
   * the election meanwhile.
   */
  async sequence(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = anyOf(signal, over.signal, this.#stop.signal);
    const turn = this.#running === undefined ? this.#campaign(stop, true) : undefined;
    try {
      const cutoff = await readClusterTime(this.store);
      for (let waits = 0; !stop.aborted && (await hasPending(this.store, cutoff)); waits += 1)
        await pause(backoffMs(waits, this.options.pollMinMs, this.options.pollMaxMs), stop);
    } finally {
      over.abort();
      await turn;
    }
  }

  /**
   * Finishes the append under way, gives the lease back and stops; after `timeoutMs` it leaves what is under way to
   * itself (the lease then ends by itself). Idempotent.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#stop.abort();
    if (this.#running === undefined) return;
    const over = new AbortController();
    await Promise.race([this.#running, pause(timeoutMs, over.signal)]);
    over.abort();
    this.#lease?.finish('closed');
  }

  async #run(): Promise<void> {
    await this.#campaign(this.#stop.signal, false);
    this.#running = undefined;
  }

  /** @param forNow moves what is pending, and leaves no cursor behind */
  async #campaign(stop: AbortSignal, forNow: boolean): Promise<void> {
    const claim: LeaseClaim = { id: sequencerLease, owner: this.owner, leaseMs: this.options.leaseMs };
    const failed = (error: unknown): boolean => {
      this.emit('error', { part: 'sequencer', error });
      return true;
    };
    const lead = (lease: HeldLease) => this.#lead(lease, stop, forNow);
    const standby = forNow ? undefined : this.standby;
    await campaign(this.store, this.options, standby, { claim, lead, failed }, stop);
  }

  async #lead(lease: HeldLease, stop: AbortSignal, forNow: boolean): Promise<number> {
    const { owner } = this;
    this.#lease = lease;
    this.emit('sequencer:elected', { owner, epoch: lease.epoch });
    try {
      await new LogMover(this.store, this.options, lease, this.emit).run(stop, forNow);
      // Whoever waits for what is pending has a moment to see that it is gone.
      return forNow ? this.options.pollMinMs : 0;
    } finally {
      lease.finish('closed');
      const reason = lease.end === 'taken' || lease.end === 'expired' ? lease.end : 'closed';
      this.emit('sequencer:lost', { owner, epoch: lease.epoch, reason });
    }
  }
}
