import { pause } from './abort.js';
import { Stopwatch } from './stopwatch.js';

/** Why a lease is held no longer. `abandoned`: it is left to run out, since something may still be done in its name. */
export type LeaseEnd = 'expired' | 'taken' | 'closed' | 'abandoned';

/**
 * A lease that was acquired, kept by renewing it at a third of its time and trusted for two thirds of it, measured from
 * before the last successful renewal was sent.
 *
 * held -> renewed (any number of times) -> lost: expired (no renewal came through in time), taken (another has it), closed.
 */
export class HeldLease {
  readonly #lost = new AbortController();
  #end: LeaseEnd | undefined;
  #sent: Stopwatch;
  #received = new Stopwatch();
  #serverNow: number;
  #deadline: NodeJS.Timeout | undefined;

  /**
   * @param sent started before the acquisition was sent
   * @param renew gives the server's time, or undefined when the lease is another's
   */
  constructor(
    readonly epoch: number,
    private readonly leaseMs: number,
    sent: Stopwatch,
    serverNow: number,
    private readonly renew: () => Promise<number | undefined>,
  ) {
    this.#sent = sent;
    this.#serverNow = serverNow;
    this.#watchDeadline();
    void this.#keep();
  }

  /** Aborts once the lease must not be acted on any more. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get end(): LeaseEnd | undefined {
    return this.#end;
  }

  /** Milliseconds for which the lease may still be acted on; 0 when it is over. */
  remainingMs(): number {
    if (this.#end !== undefined) return 0;
    const left = Math.max(0, Math.floor((this.leaseMs * 2) / 3 - this.#sent.elapsedMs()));
    if (left === 0) this.finish('expired');
    return left;
  }

  /** The server's time now, in milliseconds, as of the last renewal plus what has passed since its answer came. */
  serverNow(): number {
    return Math.floor(this.#serverNow + this.#received.monotonicElapsedMs());
  }

  /** Stops renewing. */
  finish(end: LeaseEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    clearTimeout(this.#deadline);
    this.#lost.abort();
  }

  async #keep(): Promise<void> {
    let wait = this.leaseMs / 3;
    for (;;) {
      await pause(wait, this.lost);
      if (this.#end !== undefined) return;
      const sent = new Stopwatch();
      const answer = await this.renew().catch((error: unknown) => error as Error);
      if (this.#end !== undefined) return;
      if (answer === undefined) return this.finish('taken');
      if (answer instanceof Error) {
        wait = this.leaseMs / 15;
        continue;
      }
      this.#sent = sent;
      this.#received = new Stopwatch();
      this.#serverNow = answer;
      this.#watchDeadline();
      // From when it was sent: renewals that take long must not add up to what the lease is trusted for.
      wait = Math.max(0, this.leaseMs / 3 - sent.elapsedMs());
    }
  }

  /** A renewal that hangs must not keep the lease alive. */
  #watchDeadline(): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (this.remainingMs() > 0) this.#watchDeadline();
    }, this.remainingMs());
  }
}
