import type { DrainReport } from '../handler.js';
import { pause } from '../internal/abort.js';
import { HeldLease } from '../internal/held-lease.js';
import { Stopwatch } from '../internal/stopwatch.js';
import { consumerLease, takeOver } from '../store/consumer-checkpoint.js';
import { failuresChanged, isAskedBack } from '../store/consumer-requests.js';
import { acquireLease, releaseLease, renewLease, renewedAt, type LeaseClaim } from '../store/lease.js';
import { readConsumers } from '../store/list-consumers.js';
import type { StoredEntry } from '../store/read-log-page.js';
import { readPendingStatus } from '../store/read-status.js';
import type { Document } from '../store/store.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import { register } from './register.js';
import type { ConsumerHost } from './running-consumer.js';
import { Term, type TermEnd } from './term.js';
import type { Work } from './work.js';

/** Counts of a drain that handled nothing. */
const nothing = { handled: 0, failed: 0, dead: 0, nextAttemptAt: null };

/**
 * Takes the consumer, moves what is pending to the log, runs what is there, and gives the consumer back. It ends when
 * nothing is left, at `deadlineMs`, after `maxMessages`, or at an outage where there is no deadline to wait for.
 */
export class Drain {
  #term: Term | undefined;
  /** What is told of it with each renewal of the lease, and once it is over. */
  #report: object = { state: 'running', lastError: null, inFlight: [] };

  constructor(
    private readonly host: ConsumerHost,
    readonly name: string,
    private readonly work: Work,
    private readonly options: ResolvedConsumerOptions,
  ) {}

  /** Somebody in this process asks for the lease. */
  askBack(): void {
    this.#term?.request();
  }

  /** Somebody in this process changed failures. */
  reloadFailures(): void {
    this.#term?.reloadFailures();
  }

  async run(closing: AbortSignal): Promise<DrainReport> {
    const { host, name, options } = this;
    const time = new DrainTime(options.deadlineMs, host.options.closeTimeoutMs, [closing, options.signal]);
    try {
      await host.ready();
      await register(host, name, options);
      const held = await this.#acquire(time.stop);
      if (!('lease' in held)) return { ...nothing, ...(await whatIsLeft(host, name)), heldBy: held.heldBy };
      const { lease, claim } = held;
      try {
        const counts = await this.#runTerm(lease, held.document, time);
        return { ...counts, ...(await whatIsLeft(host, name)), heldBy: null };
      } finally {
        lease.finish('closed');
        if (lease.end !== 'taken' && lease.end !== 'abandoned')
          await releaseLease(host.store, claim, lease.epoch, { report: this.#report }).catch(() => undefined);
      }
    } finally {
      time.end();
    }
  }

  /** The lease, or who holds it where it can't be had in time. */
  async #acquire(
    stop: AbortSignal,
  ): Promise<{ lease: HeldLease; claim: LeaseClaim; document: Document } | { heldBy: string }> {
    const { store, standby, owner, options } = this.host;
    const claim = { id: consumerLease(this.name), owner, leaseMs: options.leaseMs };
    const leaveStandby = standby.use();
    try {
      for (;;) {
        const sent = new Stopwatch();
        const answer = await acquireLease(store, claim);
        if (answer.held) {
          const { epoch, serverNow } = answer;
          let changes = failuresChanged(answer.lease);
          const lease = new HeldLease(epoch, claim.leaseMs, sent, serverNow, async () => {
            const renewed = await renewLease(store, claim, epoch, { report: this.#term?.report() ?? this.#report });
            if (renewed === undefined) return undefined;
            if (isAskedBack(renewed)) this.askBack();
            if (failuresChanged(renewed) !== changes) this.reloadFailures();
            changes = failuresChanged(renewed);
            return renewedAt(renewed);
          });
          return { lease, claim, document: answer.lease };
        }
        const { owner: other, paused } = answer.lease;
        const heldBy = (paused ?? null) !== null ? 'a pause' : typeof other === 'string' ? other : 'a request';
        if (this.options.ifHeld === 'return' || stop.aborted) return { heldBy };
        await standby.wait(claim.id, answer.seenAt, answer.expiresInMs, stop);
      }
    } finally {
      leaveStandby();
    }
  }

  async #runTerm(
    lease: HeldLease,
    document: Document,
    time: DrainTime,
  ): Promise<Pick<DrainReport, 'handled' | 'failed' | 'dead' | 'nextAttemptAt'>> {
    const { host, name, work, options } = this;
    const fence = { consumer: name, epoch: lease.epoch, wtimeoutMs: host.options.leaseMs };
    const checkpoint = await takeOver(host.store, fence, document);
    if (checkpoint === undefined) return nothing;
    const over = new AbortController();
    const sequenced = host.sequence(AbortSignal.any([time.stop, over.signal]));
    const term = new Term(host, {
      consumer: name,
      work,
      options,
      lease,
      checkpoint,
      stop: time.stop,
      abort: time.abort,
      abortGraceMs: time.abortGraceMs,
      drain: { patient: options.deadlineMs !== undefined },
      pages: (position, signal) => untilEmpty(host, position, sequenced, signal),
    });
    this.#term = term;
    let end: TermEnd = 'lost';
    try {
      end = await term.run();
      return { ...term.counts, nextAttemptAt: term.nextAttemptAt };
    } finally {
      this.#term = undefined;
      const state = end === 'unknown type' ? 'blocked' : 'stopped';
      this.#report = { state, lastError: term.lastError, inFlight: [] };
      over.abort();
      // Where it fails the messages stay pending, which the report tells; the sequencer's events say why.
      await sequenced.catch(() => undefined);
    }
  }
}

/** When a drain stops to begin new messages, and when it gives up those in flight. */
class DrainTime {
  readonly stop: AbortSignal;
  readonly abortGraceMs: number;
  readonly #abort = new AbortController();
  readonly #over = new AbortController();

  /** The last fifth of the time, at most a second, is for what is in flight and for storing the checkpoint. */
  constructor(deadlineMs: number | undefined, closeTimeoutMs: number, signals: readonly (AbortSignal | undefined)[]) {
    const marginMs = Math.min(1_000, (deadlineMs ?? Infinity) / 5);
    this.abortGraceMs = marginMs / 4;
    const deadline = new AbortController();
    const asked = AbortSignal.any(signals.filter((signal) => signal !== undefined));
    this.stop = AbortSignal.any([asked, deadline.signal]);
    if (deadlineMs !== undefined) {
      void pause(deadlineMs - marginMs, this.#over.signal).then(() => deadline.abort());
      void pause(deadlineMs - marginMs / 2, this.#over.signal).then(() => this.#abort.abort());
    }
    const giveUp = () => void pause(closeTimeoutMs, this.#over.signal).then(() => this.#abort.abort());
    if (asked.aborted) giveUp();
    else asked.addEventListener('abort', giveUp, { once: true, signal: this.#over.signal });
  }

  get abort(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    this.#over.abort();
  }
}

/** Pages up to the end of the log, until what was pending at first is in them. */
async function* untilEmpty(
  host: ConsumerHost,
  from: number,
  sequenced: Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<StoredEntry[], void, undefined> {
  let done = false;
  const end = () => {
    done = true;
  };
  sequenced.then(end, end);
  let position = from;
  for (;;) {
    const last = done;
    for await (const page of host.pages(position, false, signal)) {
      position = page.at(-1)?._id ?? position;
      yield page;
    }
    if (last || signal.aborted) return;
    const over = new AbortController();
    await Promise.race([sequenced.then(end, end), pause(host.options.pollMinMs, signal, over.signal)]);
    over.abort();
  }
}

async function whatIsLeft(host: ConsumerHost, name: string): Promise<{ remaining: number }> {
  const [{ consumers, newest }, pending] = await Promise.all([
    readConsumers(host.store, name),
    readPendingStatus(host.store),
  ]);
  const position = consumers[0]?.position ?? newest;
  return { remaining: Math.max(0, newest - position) + pending.count };
}
