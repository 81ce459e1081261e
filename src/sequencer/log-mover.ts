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
import { planBatch, type Base, type Plan } from './plan-batch.js';

/** How many batches are read at once, to be appended one after another. */
const batchesPerRead = 4;

/**
 * Moves committed messages from pending to the log while the lease is held. It is safe with any number of movers at
 * once, the lease only keeps them from getting in each other's way:
 *
 * 1. base: the end of the log, at majority;
 * 2. resolve: delete from pending, by token, what the newest entries hold already; only then append;
 * 3. read pending in commit-safe order, in the same causally consistent session;
 * 4. append from base + 1 by one ordered insert, which is compare-and-append;
 * 5. delete the batch from pending by token, while the next one is appended; go to 3.
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
        const pending = await readPending(this.store, session, batchesPerRead * limits.count);
        if (pending.documents.length === 0) {
          onProgress();
          await this.#wake.wait(pending.atClusterTime, stop, this.lease.lost);
          continue;
        }
        const next = await this.#moveAll(session, pending.documents, base, limits, stop);
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

  /**
   * Steps 4 and 5 for everything that was read. A batch is deleted while the next one is appended, so at most two are
   * in the log and still in pending: what another sequencer looks up before it appends covers them.
   *
   * @returns the new end of the log, or undefined when another mover was first or the lease is over
   */
  async #moveAll(
    session: ClientSession,
    documents: readonly PendingDocument[],
    base: Base,
    limits: AppendLimits,
    stop: AbortSignal,
  ): Promise<Base | undefined> {
    let end: Base | undefined = base;
    let deleted = Promise.resolve();
    for (let taken = 0; taken < documents.length && end !== undefined && !stop.aborted;) {
      const plan: Plan<PendingDocument> = planBatch(
        documents.slice(taken),
        end,
        this.lease.serverNow(),
        this.lease.epoch,
        limits,
      );
      taken += plan.entries.length + plan.refused.length;
      for (const { candidate, reason } of plan.refused) await this.#refuse(session, candidate, reason);
      if (plan.entries.length === 0) continue;
      const first = end.position + 1;
      end = (await this.#append(session, plan.entries)) ? plan.end : undefined;
      if (end !== undefined) this.emit('log:append', { first, last: end.position, epoch: this.lease.epoch });
      await deleted;
      if (end === undefined) break;
      deleted = deletePending(this.store, session, plan.tokens, this.options.leaseMs);
      // Its failure is met where it is awaited, also when the next append fails first.
      deleted.catch(() => undefined);
      this.#wake.moved(plan.entries.length);
    }
    await deleted;
    return end;
  }

  /** @returns whether the entries were appended; not so when another mover was first, or the lease is over */
  async #append(session: ClientSession, entries: Plan<PendingDocument>['entries']): Promise<boolean> {
    const timeLimitMs = this.lease.remainingMs();
    return timeLimitMs > 0 && (await appendToLog(this.store, session, entries, timeLimitMs)) === 'appended';
  }

  async #refuse(session: ClientSession, message: PendingDocument, reason: string): Promise<void> {
    await recordRefused(this.store, session, message, reason, this.options.leaseMs);
    const error = new OutboxError(
      'INVALID_MESSAGE',
      `a message in ${this.store.names.pending} can never be appended to the log: ${reason}; it was moved to ${this.store.names.failures}`,
    );
    this.emit('error', { part: 'sequencer', error });
  }
}
