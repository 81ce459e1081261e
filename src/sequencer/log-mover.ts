import type { ClientSession } from 'mongoose';
import type { Emit } from '../events.js';
import { OutboxError } from '../errors.js';
import { abandonable, abandoned, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { HeldLease } from '../internal/held-lease.js';
import type { ResolvedOptions } from '../options.js';
import { appendToLog } from '../store/append-to-log.js';
import { deletePending } from '../store/delete-pending.js';
import { readEndOfLog } from '../store/read-end-of-log.js';
import { readLogCap } from '../store/read-log-cap.js';
import { readPending, type PendingDocument } from '../store/read-pending.js';
import { removeStrays } from '../store/remove-strays.js';
import { recordRefused } from '../store/record-refused.js';
import type { Store } from '../store/store.js';
import { appendLimits, resolveWindow, type AppendLimits } from './limits.js';
import { PendingWake } from './pending-wake.js';
import { planBatch, type Base } from './plan-batch.js';

/**
 * Moves committed messages from pending to the log while the lease is held. It is safe with any number of movers at
 * once, the lease only keeps them from getting in each other's way:
 *
 * 1. base: the end of the log, at majority;
 * 2. resolve: delete from pending, by token, what the newest entries hold already; only then append;
 * 3. read pending in commit-safe order, in the same causally consistent session;
 * 4. append from base + 1 by one ordered insert, which is compare-and-append;
 * 5. delete the batch from pending by token; go to 3.
 *
 * On any error, also when overtaken by another mover, it goes back to 1 with a session of its own.
 */
export class LogMover {
  readonly #wake: PendingWake;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly lease: HeldLease,
    private readonly emit: Emit,
  ) {
    this.#wake = new PendingWake(store, options, (error) => emit('error', { part: 'sequencer', error }));
  }

  /** Runs until `stop` aborts (the append under way is finished) or the lease is lost (whatever is under way is abandoned). */
  async run(stop: AbortSignal): Promise<void> {
    let failures = 0;
    try {
      while (!stop.aborted && this.lease.remainingMs() > 0) {
        const outcome = await abandonable(
          this.#move(stop, () => (failures = 0)),
          this.lease.lost,
        );
        if (outcome === abandoned || outcome === 'stopped') return;
        await pause(backoffMs(failures++, this.options.pollMinMs, this.options.pollMaxMs), stop, this.lease.lost);
      }
    } finally {
      this.#wake.close();
    }
  }

  /** Steps 1 to 5, until it is stopped or something fails. */
  async #move(stop: AbortSignal, onProgress: () => void): Promise<'stopped' | 'again'> {
    const session = this.store.session();
    try {
      const limits = appendLimits(await readLogCap(this.store, session), this.options.appendBatchSize);
      let base: Base = await this.#resolve(session);
      while (!stop.aborted && this.lease.remainingMs() > 0) {
        const batch = await readPending(this.store, session, limits.count);
        if (batch.documents.length === 0) {
          onProgress();
          await this.#wake.wait(batch.atClusterTime, stop, this.lease.lost);
          continue;
        }
        const next = await this.#append(session, batch.documents, base, limits);
        if (next === undefined) return this.lease.remainingMs() > 0 ? 'again' : 'stopped';
        base = next;
        onProgress();
      }
      return 'stopped';
    } catch (error) {
      if (!stop.aborted && this.lease.remainingMs() > 0) this.emit('error', { part: 'sequencer', error });
      return 'again';
    } finally {
      void session.endSession().catch(() => undefined);
    }
  }

  async #resolve(session: ClientSession): Promise<Base> {
    const end = await readEndOfLog(this.store, session, resolveWindow);
    await deletePending(this.store, session, end.tokens, this.options.leaseMs);
    await removeStrays(this.store, resolveWindow);
    return end;
  }

  /** @returns the new end of the log, or undefined when another mover was first or the lease is over */
  async #append(
    session: ClientSession,
    documents: readonly PendingDocument[],
    base: Base,
    limits: AppendLimits,
  ): Promise<Base | undefined> {
    const plan = planBatch(documents, base, this.lease.serverNow(), this.lease.epoch, limits);
    for (const { candidate, reason } of plan.refused) {
      await recordRefused(this.store, session, candidate, reason, this.options.leaseMs);
      const error = new OutboxError(
        'INVALID_MESSAGE',
        `a message in ${this.store.names.pending} can never be appended to the log: ${reason}; it was moved to ${this.store.names.failures}`,
      );
      this.emit('error', { part: 'sequencer', error });
    }
    if (plan.entries.length === 0) return base;
    const timeLimitMs = this.lease.remainingMs();
    if (timeLimitMs === 0) return undefined;
    if ((await appendToLog(this.store, session, plan.entries, timeLimitMs)) === 'overtaken') return undefined;
    this.emit('log:append', { first: base.position + 1, last: plan.end.position, epoch: this.lease.epoch });
    await deletePending(this.store, session, plan.tokens, this.options.leaseMs);
    this.#wake.moved(plan.entries.length);
    return plan.end;
  }
}
