import { lead, type LeaseHolder } from '../election/lead.js';
import type { DrainReport } from '../handler.js';
import { anyOf, pause } from '../internal/abort.js';
import type { HeldLease } from '../internal/held-lease.js';
import { Stopwatch } from '../internal/stopwatch.js';
import { consumerLease, takeOver } from '../store/consumer-checkpoint.js';
import { failuresChanged, isAskedBack } from '../store/consumer-requests.js';
import { acquireLease, type LeaseAnswer, type LeaseClaim } from '../store/lease.js';
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
  #end: TermEnd = 'lost';
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
      const acquired = await this.#acquire(time.stop);
      if (typeof acquired === 'string') {
        const { remaining } = await whatIsLeft(host, name);
        return { ...nothing, remaining, heldBy: acquired };
      }
      const { answer, sent } = acquired;
      let changes = failuresChanged(answer.lease);
      const holder: LeaseHolder = {
        claim: this.#claim,
        report: () => ({ report: this.#term?.report() ?? this.#report }),
        lastReport: () => ({ report: this.#report }),
        renewed: (lease) => {
          if (isAskedBack(lease)) this.askBack();
          if (failuresChanged(lease) !== changes) this.reloadFailures();
          changes = failuresChanged(lease);
        },
      };
      const counts = await lead(host.store, holder, answer, sent, (lease) => this.#runTerm(lease, answer.lease, time));
      const { owner, remaining } = await whatIsLeft(host, name);
      // Lost to another, which goes on with it.
      return { ...counts, remaining, heldBy: this.#end === 'lost' ? (owner ?? 'another process') : null };
    } finally {
      time.end();
    }
  }

  get #claim(): LeaseClaim {
    const { owner, options } = this.host;
    return { id: consumerLease(this.name), owner, leaseMs: options.leaseMs };
  }

  /** The lease and when it was asked for, or who holds it where it can't be had in time. */
  async #acquire(
    stop: AbortSignal,
  ): Promise<{ answer: Extract<LeaseAnswer, { held: true }>; sent: Stopwatch } | string> {
    const { store, standby } = this.host;
    const leaveStandby = standby.use();
    try {
      for (;;) {
        const sent = new Stopwatch();
        const answer = await acquireLease(store, this.#claim);
        if (answer.held) return { answer, sent };
        const { owner, paused } = answer.lease;
        if (this.options.ifHeld === 'return' || stop.aborted)
          return (paused ?? null) !== null ? 'a pause' : typeof owner === 'string' ? owner : 'a request';
        await standby.wait(this.#claim.id, answer.seenAt, answer.expiresInMs, stop);
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
    const sequenced = host.sequence(anyOf(time.stop, over.signal));
    // Where it fails the messages stay pending, which the report tells; the sequencer's events say why. It may fail before
    // anybody waits for it, and that must not end the process.
    sequenced.catch(() => undefined);
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
    try {
      this.#end = await term.run();
      return { ...term.counts, nextAttemptAt: term.nextAttemptAt };
    } finally {
      this.#term = undefined;
      const state = this.#end === 'unknown type' ? 'blocked' : 'stopped';
      this.#report = { state, lastError: term.lastError, inFlight: [] };
      over.abort();
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
    const asked = anyOf(...signals);
    this.stop = anyOf(asked, deadline.signal);
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

async function whatIsLeft(host: ConsumerHost, name: string): Promise<{ remaining: number; owner: string | null }> {
  const [{ consumers, newest }, pending] = await Promise.all([
    readConsumers(host.store, name),
    readPendingStatus(host.store),
  ]);
  const [consumer] = consumers;
  const remaining = Math.max(0, newest - (consumer?.position ?? newest)) + pending.count;
  return { remaining, owner: consumer?.alive === true ? consumer.owner : null };
}
