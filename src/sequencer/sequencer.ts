import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import type { Emit } from '../events.js';
import { pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import { HeldLease } from '../internal/held-lease.js';
import { Stopwatch } from '../internal/stopwatch.js';
import type { ResolvedOptions } from '../options.js';
import { acquireLease, releaseLease, renewLease, type LeaseClaim } from '../store/lease.js';
import type { Store } from '../store/store.js';
import { LogMover } from './log-mover.js';
import { Standby } from './standby.js';

/** The document of the sequencer's lease in `<name>.state`. */
export const sequencerLease = 'sequencer';

/**
 * Takes part in the election, and moves messages while elected.
 *
 * idle -> standing by (another is the sequencer) <-> leading -> closed
 */
export class Sequencer {
  readonly owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #lease: HeldLease | undefined;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
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
    const stop = this.#stop.signal;
    const claim: LeaseClaim = { id: sequencerLease, owner: this.owner, leaseMs: this.options.leaseMs };
    const standby = new Standby(this.store, claim.id, this.options, (error) =>
      this.emit('error', { part: 'sequencer', error }),
    );
    let failures = 0;
    while (!stop.aborted) {
      const sent = new Stopwatch();
      try {
        const answer = await acquireLease(this.store, claim);
        failures = 0;
        if (answer.held)
          await this.#lead(
            claim,
            new HeldLease(answer.epoch, claim.leaseMs, sent, answer.serverNow, () =>
              renewLease(this.store, claim, answer.epoch),
            ),
          );
        else await standby.wait(answer.seenAt, answer.expiresInMs, stop);
      } catch (error) {
        if (stop.aborted) break;
        this.emit('error', { part: 'sequencer', error });
        // Nothing comes of trying on, and waiting would keep the process alive.
        if (this.store.closedByService) break;
        await pause(backoffMs(failures++, this.options.pollMinMs, this.options.leaseMs), stop);
      }
    }
    standby.close();
    this.#running = undefined;
  }

  async #lead(claim: LeaseClaim, lease: HeldLease): Promise<void> {
    const { owner } = claim;
    this.#lease = lease;
    this.emit('sequencer:elected', { owner, epoch: lease.epoch });
    try {
      await new LogMover(this.store, this.options, lease, this.emit).run(this.#stop.signal);
    } finally {
      lease.finish('closed');
      this.emit('sequencer:lost', { owner, epoch: lease.epoch, reason: lease.end ?? 'closed' });
      // Also when it expired: by then this process does nothing with it any more, and nobody else need wait.
      if (lease.end !== 'taken') await releaseLease(this.store, claim, lease.epoch).catch(() => undefined);
    }
  }
}
