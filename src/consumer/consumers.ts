import { randomBytes } from 'node:crypto';
import { OutboxError, shown } from '../errors.js';
import type { Consumer, ConsumerInfo, DrainOptions, DrainReport } from '../handler.js';
import { checkCursor } from '../internal/check-cursor.js';
import { checkKnown } from '../internal/check-options.js';
import { pause } from '../internal/abort.js';
import type { Cursor, OutboxMessage } from '../message.js';
import { consumerLease, takeOver, type Fence } from '../store/consumer-checkpoint.js';
import {
  deleteConsumer,
  endRequest,
  moveCheckpoint,
  placeRequest,
  unpause,
  type PauseNote,
} from '../store/consumer-requests.js';
import { acquireLease, type LeaseClaim } from '../store/lease.js';
import { readConsumers } from '../store/list-consumers.js';
import { readRegistration } from '../store/registration.js';
import { resolveConsumerOptions, type ConsumerKind } from './consumer-options.js';
import { toConsumerInfo } from './consumer-info.js';
import { Drain } from './drain.js';
import { Failures } from './failures.js';
import { belowFloor, checkConsumerName, findMark } from './register.js';
import { RunningConsumer, type ConsumerHost } from './running-consumer.js';
import { drainWork, handlerWork, publisherWork } from './work.js';

/** How long, in leases, a request keeps everybody else from the consumer before it is asked again. */
const requestLeases = 4;

/** All consumers of one outbox: those of this process, and what is stored of all. */
export class Consumers<M extends OutboxMessage> {
  readonly failures: Failures<M>;
  readonly #running = new Map<string, RunningConsumer>();
  readonly #drains = new Map<Drain, Promise<DrainReport>>();
  readonly #closing = new AbortController();

  constructor(private readonly host: ConsumerHost) {
    this.failures = new Failures<M>(host, (names) => {
      for (const name of names) for (const holder of this.#holders(name)) holder.reloadFailures();
    });
  }

  start(kind: ConsumerKind, name: string, given: unknown, options: DrainOptions): Consumer {
    checkConsumerName(name);
    const { types } = this.host;
    const work = kind === 'relay' ? publisherWork(given, types) : handlerWork(given, types);
    const resolved = resolveConsumerOptions(kind, work.kind === 'publish', options, types);
    if (this.#running.has(name))
      throw new OutboxError(
        'CONSUMER_RUNNING',
        `consumer ${shown(name)} runs in this process already: use that one, or close it first`,
      );
    const consumer: RunningConsumer = new RunningConsumer(this.host, name, work, resolved, () => {
      if (this.#running.get(name) === consumer) this.#running.delete(name);
    });
    this.#running.set(name, consumer);
    return consumer;
  }

  async drain(name: string, given: unknown, options: DrainOptions): Promise<DrainReport> {
    checkConsumerName(name);
    const work = drainWork(given, this.host.types);
    const resolved = resolveConsumerOptions('drain', work.kind === 'publish', options, this.host.types);
    const drain = new Drain(this.host, name, work, resolved);
    const run = drain.run(this.#closing.signal);
    this.#drains.set(drain, run);
    try {
      return await run;
    } finally {
      this.#drains.delete(drain);
    }
  }

  /** Ends all consumers of this process. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([
      ...[...this.#running.values()].map((consumer) => consumer.close()),
      ...this.#drains.values(),
    ]);
  }

  /** Every registered consumer, by name: where it is, and why it is stuck if it is. */
  async list(): Promise<ConsumerInfo[]> {
    await this.host.ready();
    const { consumers, newest, now } = await readConsumers(this.host.store);
    return consumers.map((stored) =>
      toConsumerInfo(stored, newest, now, this.#running.get(stored.name)?.standsBy ?? false),
    );
  }

  /**
   * Stops a consumer, wherever it runs, until `resume`; it outlives restarts. What is in flight finishes, and nothing
   * repeats: resolves when the owner has given the consumer up, or its lease has run out.
   *
   * @param why who pauses it and for what reason; `list` shows it
   * @throws `UNKNOWN_CONSUMER`, `INVALID_OPTION`
   */
  async pause(name: string, why: PauseNote = {}): Promise<void> {
    checkConsumerName(name);
    checkKnown(why, ['by', 'reason'], 'why.');
    for (const field of ['by', 'reason'] as const)
      if (why[field] !== undefined && typeof why[field] !== 'string')
        throw new OutboxError('INVALID_OPTION', `option why.${field} must be a string: got ${shown(why[field])}`);
    await this.#asOwner(name, 'pause', async () => true, why);
  }

  /** Lets a paused consumer go on; one that is not paused is left as it is. @throws `UNKNOWN_CONSUMER` */
  async resume(name: string): Promise<void> {
    checkConsumerName(name);
    await this.#known(name);
    await unpause(this.host.store, name, this.host.options.leaseMs);
  }

  /**
   * Lets a consumer go on from another place, also while it runs. Failures from there on that are not dead letters are
   * cleared, since their messages come again; dead letters stay, and are passed over.
   *
   * @throws `UNKNOWN_CONSUMER`; `POSITION_LOST` where that part was overwritten, or is beyond the end; `INVALID_CURSOR`
   */
  async rewind(name: string, to: Cursor): Promise<void> {
    checkConsumerName(name);
    checkCursor(to);
    await this.#known(name);
    // Refused before anybody is asked to stop.
    await findMark(this.host, to);
    await this.#asOwner(name, 'rewind', async (fence) => {
      for (;;) {
        const mark = await findMark(this.host, to);
        const outcome = await moveCheckpoint(this.host.store, fence, mark);
        if (outcome === undefined) return false;
        if (outcome === 'moved') return true;
        if (to !== 'beginning') throw belowFloor(name, mark.position, outcome.belowFloor.position);
        const clamped = await moveCheckpoint(this.host.store, fence, outcome.belowFloor);
        if (clamped === 'moved') return true;
        if (clamped === undefined) return false;
      }
    });
  }

  /**
   * Forgets a consumer: its checkpoint and failures are deleted, the log keeps nothing for it any more, and consumers of
   * the name that run anywhere end, their `closed` rejecting with `CONSUMER_REMOVED`.
   *
   * @throws `UNKNOWN_CONSUMER`
   */
  async remove(name: string): Promise<void> {
    checkConsumerName(name);
    await this.#asOwner(name, 'remove', (fence) => deleteConsumer(this.host.store, fence));
  }

  /** What may hold the consumer in this process. */
  #holders(name: string): (RunningConsumer | Drain)[] {
    const consumer = this.#running.get(name);
    const drains = [...this.#drains.keys()].filter((drain) => drain.name === name);
    return consumer === undefined ? drains : [consumer, ...drains];
  }

  async #known(name: string): Promise<void> {
    await this.host.ready();
    const { fixed } = await readRegistration(this.host.store, name);
    if (fixed === undefined) throw unknown(name);
  }

  /**
   * Asks the owner to give the consumer back, or waits until its lease has run out; takes its place, so that nobody acts
   * meanwhile and whoever acted before can't any more; changes what is to be changed, and gives the place back.
   */
  async #asOwner(
    name: string,
    what: string,
    change: (fence: Fence) => Promise<boolean>,
    pauseNote?: PauseNote,
  ): Promise<void> {
    await this.#known(name);
    const { store, options, standby, owner } = this.host;
    const holdMs = requestLeases * options.leaseMs;
    const request = randomBytes(8).toString('hex');
    const claim: LeaseClaim = { id: consumerLease(name), owner: `${owner}:${what}`, leaseMs: options.leaseMs, request };
    const leaveStandby = standby.use();
    try {
      for (;;) {
        const placed = await placeRequest(store, name, request, holdMs, pauseNote);
        if (placed === 'unknown') throw unknown(name);
        if (placed === 'other') {
          await pause(options.pollMinMs, this.#closing.signal);
          this.#checkOpen();
          continue;
        }
        for (const holder of this.#holders(name)) holder.askBack();
        const answer = await acquireLease(store, claim);
        if (!answer.held) {
          await standby.wait(
            claim.id,
            answer.seenAt,
            Math.min(answer.expiresInMs, options.leaseMs),
            this.#closing.signal,
          );
          this.#checkOpen();
          continue;
        }
        const fence = { consumer: name, epoch: answer.epoch, wtimeoutMs: options.leaseMs };
        // From here on no earlier owner can write.
        if ((await takeOver(store, fence, answer.lease)) === undefined) throw unknown(name);
        if (!(await change(fence))) throw unknown(name);
        return;
      }
    } finally {
      leaveStandby();
      await endRequest(store, claim).catch((error: unknown) =>
        this.host.emit('error', { part: 'consumer', consumer: name, error }),
      );
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted)
      throw new OutboxError('CLOSED', 'the outbox was closed while it waited for a consumer to be given back');
  }
}

function unknown(name: string): OutboxError {
  return new OutboxError(
    'UNKNOWN_CONSUMER',
    `there is no consumer ${shown(name)}: consumers.list() names those there are; consume, relay or drain registers one`,
  );
}
