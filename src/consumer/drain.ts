import type { DrainReport } from '../handler.js';
import { pause } from '../internal/abort.js';
import { HeldLease } from '../internal/held-lease.js';
import { Stopwatch } from '../internal/stopwatch.js';
import { consumerLease, takeOver } from '../store/consumer-checkpoint.js';
import { acquireLease, releaseLease, renewLease, renewedAt, type LeaseClaim } from '../store/lease.js';
import { readConsumers } from '../store/list-consumers.js';
import type { StoredEntry } from '../store/read-log-page.js';
import { readPendingStatus } from '../store/read-status.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import { register } from './register.js';
import type { ConsumerHost } from './running-consumer.js';
import { Term } from './term.js';
import type { Work } from './work.js';

/** Counts of a drain that handled nothing. */
const nothing = { handled: 0, failed: 0, dead: 0, nextAttemptAt: null };

/**
 * Takes the consumer, moves what is pending to the log, runs what is there, and gives the consumer back. It ends when
 * nothing is left, at `deadlineMs`, after `maxMessages`, or at an outage where there is no deadline to wait for.
 */
export async function drain(
  host: ConsumerHost,
  name: string,
  work: Work,
  options: ResolvedConsumerOptions,
  closing: AbortSignal,
): Promise<DrainReport> {
  const over = new AbortController();
  const started = performance.now();
  const leftMs = () => Math.max(0, (options.deadlineMs ?? Infinity) - (performance.now() - started));
  const deadline = new AbortController();
  const timer = options.deadlineMs === undefined ? undefined : setTimeout(() => deadline.abort(), options.deadlineMs);
  const stop = AbortSignal.any([closing, deadline.signal, options.signal].filter((signal) => signal !== undefined));
  try {
    await host.ready();
    await register(host, name, options);
    const held = await acquire(host, name, options, stop);
    if (!('lease' in held)) return { ...nothing, ...(await whatIsLeft(host, name)), heldBy: held.heldBy };
    const { lease, claim } = held;
    try {
      const sequenced = host.sequence(AbortSignal.any([stop, over.signal]));
      const counts = await runTerm(host, name, work, options, lease, { stop, over, sequenced, leftMs });
      return { ...counts, ...(await whatIsLeft(host, name)), heldBy: null };
    } finally {
      over.abort();
      lease.finish('closed');
      if (lease.end !== 'taken' && lease.end !== 'abandoned')
        await releaseLease(host.store, claim, lease.epoch, { report: null }).catch(() => undefined);
    }
  } finally {
    over.abort();
    clearTimeout(timer);
  }
}

/** The lease, or who holds it where it can't be had in time. */
async function acquire(
  host: ConsumerHost,
  name: string,
  options: ResolvedConsumerOptions,
  stop: AbortSignal,
): Promise<{ lease: HeldLease; claim: LeaseClaim } | { heldBy: string }> {
  const { store } = host;
  const claim = { id: consumerLease(name), owner: `${host.owner}:drain`, leaseMs: host.options.leaseMs };
  const leaveStandby = host.standby.use();
  try {
    for (;;) {
      const sent = new Stopwatch();
      const answer = await acquireLease(store, claim);
      if (answer.held) {
        const { epoch, serverNow } = answer;
        const lease = new HeldLease(epoch, claim.leaseMs, sent, serverNow, async () => {
          const renewed = await renewLease(store, claim, epoch);
          return renewed === undefined ? undefined : renewedAt(renewed);
        });
        return { lease, claim };
      }
      const { owner, paused } = answer.lease;
      const heldBy = paused ? 'a pause' : typeof owner === 'string' ? owner : 'a request';
      if (options.ifHeld === 'return' || stop.aborted) return { heldBy };
      await host.standby.wait(claim.id, answer.seenAt, answer.expiresInMs, stop);
    }
  } finally {
    leaveStandby();
  }
}

async function runTerm(
  host: ConsumerHost,
  name: string,
  work: Work,
  options: ResolvedConsumerOptions,
  lease: HeldLease,
  {
    stop,
    over,
    sequenced,
    leftMs,
  }: { stop: AbortSignal; over: AbortController; sequenced: Promise<void>; leftMs: () => number },
): Promise<Pick<DrainReport, 'handled' | 'failed' | 'dead' | 'nextAttemptAt'>> {
  const fence = { consumer: name, epoch: lease.epoch, wtimeoutMs: host.options.leaseMs };
  const checkpoint = await takeOver(host.store, fence);
  if (checkpoint === undefined) return nothing;
  // A handler that is still running at the deadline gets what the outbox gives it at close.
  const abort = new AbortController();
  const giveUp = () =>
    void pause(host.options.closeTimeoutMs, over.signal).then(() => !over.signal.aborted && abort.abort());
  stop.addEventListener('abort', giveUp);
  const term = new Term(host, {
    consumer: name,
    work,
    options,
    lease,
    checkpoint,
    stop,
    abort: abort.signal,
    drain: { patient: leftMs() < Infinity },
    pages: (position, signal) => untilEmpty(host, position, sequenced, signal),
  });
  try {
    await term.run();
  } finally {
    stop.removeEventListener('abort', giveUp);
  }
  return { ...term.counts, nextAttemptAt: term.nextAttemptAt };
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
