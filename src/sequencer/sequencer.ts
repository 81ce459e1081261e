import { campaign } from '../election/campaign.js';
import type { Standby } from '../election/standby.js';
import type { Emit } from '../events.js';
import { pause } from '../internal/abort.js';
import type { HeldLease } from '../internal/held-lease.js';
import type { ResolvedOptions } from '../options.js';
import type { LeaseClaim } from '../store/lease.js';
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
    const claim: LeaseClaim = { id: sequencerLease, owner: this.owner, leaseMs: this.options.leaseMs };
    const failed = (error: unknown): boolean => {
      this.emit('error', { part: 'sequencer', error });
      return true;
    };
    const lead = (lease: HeldLease) => this.#lead(lease);
    await campaign(this.store, this.options, this.standby, { claim, lead, failed }, this.#stop.signal);
    this.#running = undefined;
  }

  async #lead(lease: HeldLease): Promise<void> {
    const { owner } = this;
    this.#lease = lease;
    this.emit('sequencer:elected', { owner, epoch: lease.epoch });
    try {
      await new LogMover(this.store, this.options, lease, this.emit).run(this.#stop.signal);
    } finally {
      lease.finish('closed');
      const reason = lease.end === 'taken' || lease.end === 'expired' ? lease.end : 'closed';
      this.emit('sequencer:lost', { owner, epoch: lease.epoch, reason });
    }
  }
}
