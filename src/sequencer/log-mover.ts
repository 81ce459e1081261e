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
import { isStillInLog } from '../store/still-in-log.js';
import { readPending, type PendingDocument } from '../store/read-pending.js';
import { removeStrays } from '../store/remove-strays.js';
import { recordRefused } from '../store/record-refused.js';
import type { Store } from '../store/store.js';
import { resolveWindow, type AppendLimits } from './limits.js';
import { LogRoom } from './log-room.js';
import { PendingWake } from './pending-wake.js';
import { planBatch, type Base, type Plan } from './plan-batch.js';
import { fits, type Extent } from './room.js';

/** How many batches are read at once, to be appended one after another. */
const batchesPerRead = 4;

/**
 * Moves committed messages from pending to the log while the lease is held. It is safe with any number of movers at
 * once, the lease only keeps them from getting in each other's way:
 *
 * 1. base: the end of the log, at majority;
 * 2. resolve: delete from pending, by token, what the newest entries hold already; only then append;
 * 3. read pending in commit-safe order, in the same causally consistent session;
 * 4. append from base + 1 by one ordered insert, which is compare-and-append, as much as the log takes without
 *    overwriting what a registered consumer has not passed (see LogRoom);
 * 5. unless the entries are stray by now, delete the batch from pending by token, while the next one is appended; go to 3.
 *
 * On any error, also when overtaken by another mover, it goes back to 1 with a session of its own.
 */
export class LogMover {
  readonly #wake: PendingWake;
  readonly #room: LogRoom;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly lease: HeldLease,
    private readonly emit: Emit,
  ) {
    this.#wake = new PendingWake(store, options, (error) => emit('error', { part: 'sequencer', error }));
    this.#room = new LogRoom(store, options, emit);
  }

  /**
   * Runs until `stop` aborts (the append under way is finished) or the lease is lost (whatever is under way is abandoned).
   * @param untilEmpty ends also when nothing is pending, instead of opening a change stream to wait for more
   */
  async run(stop: AbortSignal, untilEmpty = false): Promise<void> {
    let failures = 0;
    try {
      while (!stop.aborted && this.lease.remainingMs() > 0) {
        const outcome = await abandonable(
          this.#move(stop, untilEmpty, () => (failures = 0)),
          this.lease.lost,
        );
        if (outcome === abandoned || outcome === 'stopped') return;
        await pause(backoffMs(failures++, this.options.pollMinMs, this.options.pollMaxMs), stop, this.lease.lost);
      }
    } finally {
      this.#wake.close();
      this.#room.close();
    }
  }

  /** Steps 1 to 5, until it is stopped or something fails. */
  async #move(stop: AbortSignal, untilEmpty: boolean, onProgress: () => void): Promise<'stopped' | 'again'> {
    const session = this.store.session();
    try {
      let base: Base = await this.#resolve(session);
      await this.#room.open(base);
      while (!stop.aborted && this.lease.remainingMs() > 0) {
        const pending = await readPending(this.store, session, batchesPerRead * this.#room.limits.count);
        if (pending.documents.length === 0) {
          onProgress();
          await this.#room.flows();
          if (untilEmpty) return 'stopped';
          await this.#wake.wait(pending.atClusterTime, stop, this.lease.lost);
          continue;
        }
        const next = await this.#moveAll(session, pending.documents, base, stop);
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
   * in the log and still in pending: what another sequencer looks up before it appends covers them. While the log is full
   * it waits here: what was read before is still the first to append.
   *
   * @returns the new end of the log, or undefined when another mover was first or the lease is over
   */
  async #moveAll(
    session: ClientSession,
    documents: readonly PendingDocument[],
    base: Base,
    stop: AbortSignal,
  ): Promise<Base | undefined> {
    let end: Base | undefined = base;
    let settled = Promise.resolve(true);
    let halted = false;
    for (let rest = documents; rest.length > 0 && end !== undefined && !stop.aborted;) {
      const plan = await this.#planWithin(rest, end);
      for (const { candidate, reason } of plan.refused) await this.#refuse(session, candidate, reason);
      if (plan.refused.length > 0) {
        const refused = new Set(plan.refused.map(({ candidate }) => candidate));
        rest = rest.filter((document) => !refused.has(document));
        continue;
      }
      if (plan.entries.length === 0) {
        halted = true;
        if (!(await settled)) return undefined;
        await this.#room.hold(end, rest.length, stop, this.lease.lost);
        if (this.lease.remainingMs() === 0) end = undefined;
        continue;
      }
      const { position } = end;
      end = (await this.#append(session, plan.entries)) ? plan.end : undefined;
      if (end !== undefined)
        this.emit('log:append', { first: position + 1, last: end.position, epoch: this.lease.epoch });
      if (!(await settled) || end === undefined) return undefined;
      settled = this.#settle(session, end.position, plan.tokens);
      // Its failure is met where it is awaited, also when the next append fails first.
      settled.catch(() => undefined);
      this.#wake.moved(plan.entries.length);
      rest = rest.slice(plan.entries.length);
    }
    if (!(await settled)) return undefined;
    if (!halted && end !== undefined && !stop.aborted) await this.#room.flows();
    return end;
  }

  /** What comes next and has room in the log, if need be less than a whole batch; no entries where not even one has. */
  async #planWithin(rest: readonly PendingDocument[], end: Base): Promise<Plan<PendingDocument>> {
    const { limits } = this.#room;
    const plan = this.#plan(rest, end, limits);
    // Those are taken out first.
    if (plan.refused.length > 0) return plan;
    const room = await this.#room.make(end, extentOf(plan, end));
    if (fits(extentOf(plan, end), room)) return plan;
    const count = Math.max(1, Math.min(limits.count, room.messages));
    const smaller = this.#plan(rest, end, { ...limits, count, bytes: Math.min(limits.bytes, room.bytes) });
    return fits(extentOf(smaller, end), room) ? smaller : { ...smaller, entries: [] };
  }

  #plan(rest: readonly PendingDocument[], end: Base, limits: AppendLimits): Plan<PendingDocument> {
    return planBatch(rest, end, this.lease.serverNow(), this.lease.epoch, limits);
  }

  /** @returns whether the entries were appended; not so when another mover was first, or the lease is over */
  async #append(session: ClientSession, entries: Plan<PendingDocument>['entries']): Promise<boolean> {
    const timeLimitMs = this.lease.remainingMs();
    return (
      timeLimitMs > 0 && (await appendToLog(this.store, session, entries, timeLimitMs, this.#room.over)) === 'appended'
    );
  }

  /** @returns false when what was appended is stray, and its messages stay in pending */
  async #settle(session: ClientSession, last: number, tokens: readonly unknown[]): Promise<boolean> {
    if (!(await isStillInLog(this.store, session, last))) return false;
    await deletePending(this.store, session, tokens, this.options.leaseMs);
    return true;
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

function extentOf(plan: Plan<PendingDocument>, end: Base): Extent {
  return { bytes: Number(plan.end.bytes - end.bytes), messages: plan.entries.length };
}
