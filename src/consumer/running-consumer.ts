import type { Standby } from '../election/standby.js';
import { campaign } from '../election/campaign.js';
import { OutboxError, shown } from '../errors.js';
import type { Consumer } from '../handler.js';
import { abandonable, pause } from '../internal/abort.js';
import { backoffMs } from '../internal/backoff.js';
import type { HeldLease } from '../internal/held-lease.js';
import { decideResume } from '../internal/resume-decision.js';
import { consumerLease, takeOver } from '../store/consumer-checkpoint.js';
import { failuresChanged, isAskedBack } from '../store/consumer-requests.js';
import { readRegistration, removalsOf } from '../store/registration.js';
import type { StoredEntry } from '../store/read-log-page.js';
import type { Document } from '../store/store.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';
import { register, type Registrar } from './register.js';
import type { TermHost } from './term-state.js';
import { Term } from './term.js';
import type { Work } from './work.js';

/** What a consumer needs of the outbox. */
export interface ConsumerHost extends TermHost, Registrar {
  readonly owner: string;
  readonly standby: Standby;
  /** Message types that this process has a schema for. */
  readonly types: readonly string[];
  /** Resolves when the collections are there. */
  ready(): Promise<unknown>;
  /** A consumer makes its process take part in the election of the sequencer. */
  takePart(): void;
  /** Pages of the log after a position, live or up to its end. */
  pages(position: number, live: boolean, signal: AbortSignal): AsyncGenerator<StoredEntry[], void, undefined>;
  /** Moves what is pending to the log until it is gone or the signal aborts. */
  sequence(signal: AbortSignal): Promise<void>;
}

/** How long, in milliseconds, after its handlers were given up a consumer may take to store its checkpoint. */
const closeGraceMs = 3_000;

/**
 * A named consumer in this process.
 *
 * registering -> standing by <-> owning (a term) -> closed
 */
export class RunningConsumer implements Consumer {
  readonly closed: Promise<void>;
  readonly #stop = new AbortController();
  readonly #abort = new AbortController();
  #term: Term | undefined;
  #lease: HeldLease | undefined;
  #removals = 0;
  #changes = 0;
  #ended = false;

  constructor(
    private readonly host: ConsumerHost,
    readonly name: string,
    private readonly work: Work,
    private readonly options: ResolvedConsumerOptions,
    private readonly onEnd: () => void,
  ) {
    const { signal } = options;
    const onAbort = () => void this.close();
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) this.#stop.abort();
    this.closed = this.#run().finally(() => {
      this.#ended = true;
      signal?.removeEventListener('abort', onAbort);
      this.onEnd();
    });
    // Nobody need look at it; the error event tells of it too.
    this.closed.catch(() => undefined);
  }

  /** Whether it waits for another process that owns the consumer, or for nobody. */
  get standsBy(): boolean {
    return !this.#ended && this.#term === undefined;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const over = new AbortController();
    const timeout = async () => {
      await pause(this.host.options.closeTimeoutMs, over.signal);
      if (over.signal.aborted) return;
      this.#abort.abort();
      // A server that does not answer is not waited for; the lease then ends by itself.
      await pause(closeGraceMs, over.signal);
      this.#lease?.finish('abandoned');
    };
    await Promise.race([this.closed.catch(() => undefined), timeout()]);
    over.abort();
    // Also where the server still does not answer: its lease, while it lasts, keeps a new one of the name waiting.
    this.onEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Somebody in this process asks for the lease: it need not wait for the next renewal. */
  askBack(): void {
    this.#term?.request();
  }

  /** Somebody in this process changed failures. */
  reloadFailures(): void {
    this.#term?.reloadFailures();
  }

  async #run(): Promise<void> {
    const { host } = this;
    try {
      await this.#register();
      if (this.#stop.signal.aborted) return;
      host.takePart();
      const claim = { id: consumerLease(this.name), owner: host.owner, leaseMs: host.options.leaseMs };
      await campaign(
        host.store,
        host.options,
        host.standby,
        {
          claim,
          seen: (lease) => this.#seen(lease),
          lead: (lease, document) => this.#lead(lease, document),
          report: () => ({ report: this.#term?.report() ?? null }),
          lastReport: () => ({ report: this.#lastReport }),
          renewed: (lease) => this.#renewed(lease),
          failed: (error) => this.#failed(error),
        },
        this.#stop.signal,
      );
      if (host.store.closedByService && !this.#stop.signal.aborted) throw host.store.closedError();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      host.emit('error', { part: 'consumer', consumer: this.name, error });
      throw error;
    }
  }

  #lastReport: object = { state: 'stopped', lastError: null, inFlight: [] };

  async #register(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      try {
        await this.host.ready();
        const registered = await abandonable(register(this.host, this.name, this.options), this.#stop.signal);
        if (typeof registered === 'number') this.#removals = registered;
        return;
      } catch (error) {
        if (decideResume(error) === 'fail' || this.host.store.closedByService) throw error;
        this.host.emit('error', { part: 'consumer', consumer: this.name, error });
        await pause(backoffMs(failures, this.host.options.pollMinMs, this.host.options.leaseMs), this.#stop.signal);
      }
    }
  }

  #seen(lease: Document): void {
    if (removalsOf(lease) !== this.#removals) throw removed(this.name);
    this.#changes = failuresChanged(lease);
  }

  async #lead(lease: HeldLease, document: Document): Promise<number | void> {
    const { host, name, work, options } = this;
    const fence = { consumer: name, epoch: lease.epoch, wtimeoutMs: host.options.leaseMs };
    const checkpoint = await takeOver(host.store, fence, document);
    if (checkpoint === undefined) {
      const { fixed } = await readRegistration(host.store, name);
      if (fixed === undefined) throw removed(name);
      return;
    }
    this.#lease = lease;
    const pages = (position: number, signal: AbortSignal) => host.pages(position, true, signal);
    const stop = this.#stop.signal;
    this.#term = new Term(host, {
      consumer: name,
      work,
      options,
      lease,
      checkpoint,
      pages,
      stop,
      abort: this.#abort.signal,
    });
    host.emit('consumer:start', { consumer: name, position: checkpoint.position, epoch: lease.epoch });
    let end: Awaited<ReturnType<Term['run']>> = 'lost';
    try {
      end = await this.#term.run();
    } finally {
      const { lastError } = this.#term;
      this.#lastReport = { state: end === 'unknown type' ? 'blocked' : 'stopped', lastError, inFlight: [] };
      this.#term = undefined;
      if (end === 'lost') host.emit('consumer:lost', { consumer: name, epoch: lease.epoch });
    }
    // A process that knows the type may stand by; this one looks again later.
    return end === 'unknown type' ? host.options.leaseMs : 0;
  }

  #renewed(lease: Document): void {
    if (isAskedBack(lease)) this.#term?.request();
    const changes = failuresChanged(lease);
    if (changes !== this.#changes) this.#term?.reloadFailures();
    this.#changes = changes;
  }

  /** @returns whether it is tried again */
  #failed(error: unknown): boolean {
    if (decideResume(error) === 'fail') return false;
    this.host.emit('error', { part: 'consumer', consumer: this.name, error });
    return true;
  }
}

function removed(name: string): OutboxError {
  return new OutboxError(
    'CONSUMER_REMOVED',
    `consumer ${shown(name)} was removed: its checkpoint and failures are gone; a new consume or relay of that name registers it anew`,
  );
}
