import type { Emit } from '../events.js';
import { pause } from '../internal/abort.js';
import { Stopwatch } from '../internal/stopwatch.js';
import type { ResolvedOptions } from '../options.js';
import { raiseFloor, readFloor, setHeldBy } from '../store/floor.js';
import { findMark, readMark, readOverwritten, type LogMark } from '../store/log-marks.js';
import { lowestCheckpoint, type Checkpoint } from '../store/lowest-checkpoint.js';
import { primaryTerm, type PrimaryTerm } from '../store/primary-term.js';
import { readLogStats, type LogStats } from '../store/read-log-stats.js';
import type { Store } from '../store/store.js';
import { appendLimits, largestAppend, largestBatch, type AppendLimits } from './limits.js';
import {
  driftOf,
  fits,
  floorTarget,
  roomAbove,
  unpassedAbove,
  type Extent,
  type Room,
  type RoomFigures,
} from './room.js';

/** When the floor is raised, the server's count is read anew after so many milliseconds: stray entries change it too. */
const figuresFreshMs = 1_000;

/**
 * Makes room in the log, by raising the floor, and never above what a registered consumer has passed.
 *
 * flowing -> held (even one message has no room above the floor, and a checkpoint keeps it down) -> flowing, once
 * everything that was read from pending went in without a halt.
 *
 * The floor and the server's count are remembered: an append that fits above the floor costs nothing more. The floor is
 * only ever raised, so that an old one is safe. What the server counts too much changes only with its process or by
 * stray entries.
 */
export class LogRoom {
  #term: PrimaryTerm | undefined;
  #readAt = new Stopwatch();
  #stats: LogStats = { sizeBytes: 0, maxMessages: undefined, reported: { bytes: 0, messages: 0 } };
  #drift: Extent = { bytes: 0, messages: 0 };
  #floor: LogMark = { position: 0, bytes: 0n };
  /** The consumer that kept the floor down when it was last to be raised. */
  #lowest: Checkpoint | undefined;
  /** As it is stored. */
  #heldBy: string | null = null;
  /** The consumer of which listeners were told since the log last flowed. */
  #told: string | undefined;

  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly emit: Emit,
  ) {}

  /** Of one append, by the cap as it is. */
  get limits(): AppendLimits {
    return appendLimits(this.#stats, this.options.appendBatchSize);
  }

  /** Aborts when the server's count may be another one: an append made with it must not be sent any more. */
  get over(): AbortSignal | undefined {
    return this.#term?.over;
  }

  /** Step 1: `base` was read just before. */
  async open(base: LogMark): Promise<void> {
    const overwritten = await this.#readFigures(base);
    let floor = await readFloor(this.store);
    // Of an older version, which overwrote without raising it: nobody can be promised what is gone.
    if (floor === undefined || floor.position < overwritten.position)
      ({ floor } = await raiseFloor(this.store, overwritten));
    this.#heldBy = floor.heldBy;
    this.#floor = later(floor, overwritten);
  }

  /** Raises the floor where the batch does not fit above it. @returns the room there is then, which may be less */
  async make(base: LogMark, batch: Extent): Promise<Room> {
    if (this.over?.aborted === true) await this.#readFigures(base);
    const room = roomAbove(this.#figures(base));
    if (fits(batch, room)) return room;
    if (this.#readAt.elapsedMs() > figuresFreshMs) await this.#readFigures(base);
    await this.#raise(base, batch);
    return roomAbove(this.#figures(base));
  }

  /**
   * Tells who holds the log, and resolves when that may have changed: a checkpoint has moved, a consumer was removed, the
   * log was made larger, or a signal aborts.
   *
   * @param waiting how many messages of pending are known to wait
   */
  async hold(base: LogMark, waiting: number, ...signals: AbortSignal[]): Promise<void> {
    const holder = this.#lowest;
    if (holder === undefined || signals.some((signal) => signal.aborted)) return;
    await this.#tell(holder, base, waiting);
    for (let polls = 0; ; polls += 1) {
      await pause(Math.min(this.options.pollMaxMs, this.options.pollMinMs * 1.5 ** polls), ...signals);
      if (signals.some((signal) => signal.aborted)) return;
      const [lowest, stats, floor] = await Promise.all([
        lowestCheckpoint(this.store),
        readLogStats(this.store),
        readFloor(this.store),
      ]);
      if (this.over?.aborted === true) return;
      if (JSON.stringify(stats) !== JSON.stringify(this.#stats)) {
        await this.#readFigures(base);
        return;
      }
      if (lowest?.consumer !== holder.consumer || lowest.position > this.#floor.position) return;
      // A stale sequencer, for which it flowed, may have told otherwise.
      if (floor !== undefined && floor.heldBy !== holder.consumer) await setHeldBy(this.store, holder.consumer);
    }
  }

  /** Everything that was pending went in without a halt. */
  async flows(): Promise<void> {
    this.#told = undefined;
    if (this.#heldBy === null) return;
    await setHeldBy(this.store, null);
    this.#heldBy = null;
  }

  close(): void {
    this.#term?.close();
  }

  async #readFigures(base: LogMark): Promise<LogMark> {
    this.#term?.close();
    // Begun before the count is read: a process that ends meanwhile is noticed.
    const term = (this.#term = primaryTerm(this.store));
    this.#readAt = new Stopwatch();
    this.#stats = await readLogStats(this.store);
    const overwritten = await readOverwritten(this.store);
    term.over.throwIfAborted();
    this.#drift = driftOf(this.#stats.reported, overwritten, base);
    return overwritten;
  }

  #figures(base: LogMark): RoomFigures {
    const largest = appendLimits(this.#stats, largestBatch);
    return {
      cap: this.#stats,
      base,
      floor: this.#floor,
      drift: this.#drift,
      largest: { bytes: largestAppend(largest), messages: largest.count },
    };
  }

  async #raise(base: LogMark, batch: Extent): Promise<void> {
    // Only to spare the search where it can't be raised as far as asked: what counts is read in the transaction.
    this.#lowest = await lowestCheckpoint(this.store);
    if (this.#lowest !== undefined && this.#lowest.position <= this.#floor.position) return;
    const asked = await this.#askedFloor(base, batch, this.#lowest);
    const { floor, limitedBy } = await raiseFloor(this.store, asked);
    this.#lowest = limitedBy ?? this.#lowest;
    this.#heldBy = floor.heldBy;
    this.#floor = later(floor, this.#floor);
  }

  async #askedFloor(base: LogMark, batch: Extent, lowest: LogMark | undefined): Promise<LogMark> {
    const target = floorTarget(this.#figures(base), batch);
    if (lowest !== undefined && (lowest.bytes <= target.leastBytes || lowest.position <= target.position))
      return lowest;
    if (target.leastBytes >= base.bytes || target.position >= base.position) return base;
    const { leastBytes, mostBytes } = target;
    const byBytes =
      leastBytes <= this.#floor.bytes
        ? this.#floor
        : await findMark(this.store, this.#floor, base, leastBytes, mostBytes);
    if (byBytes.position >= target.position) return byBytes;
    return (await readMark(this.store, target.position)) ?? base;
  }

  async #tell(holder: Checkpoint, base: LogMark, waiting: number): Promise<void> {
    const { consumer } = holder;
    if (this.#heldBy !== consumer) {
      await setHeldBy(this.store, consumer);
      this.#heldBy = consumer;
    }
    if (this.#told === consumer) return;
    this.#told = consumer;
    const unpassed = unpassedAbove(this.#floor, base);
    const { sizeBytes, maxMessages, reported } = this.#stats;
    this.emit('log:full', {
      heldBy: consumer,
      position: holder.position,
      unpassedBytes: unpassed.bytes,
      unpassedMessages: unpassed.messages,
      reportedBytes: reported.bytes,
      reportedMessages: reported.messages,
      sizeBytes,
      maxMessages: maxMessages ?? null,
      pending: waiting,
      text: `the log ${this.store.names.log} is full: consumer ${JSON.stringify(consumer)} stands at position ${holder.position}, ${unpassed.messages} messages (${unpassed.bytes} bytes) behind its end; messages wait in ${this.store.names.pending} until it goes on; if nobody needs it any more, remove it: outbox.consumers.remove(${JSON.stringify(consumer)})`,
    });
  }
}

function later(one: LogMark, other: LogMark): LogMark {
  const { position, bytes } = one.position >= other.position ? one : other;
  return { position, bytes };
}
