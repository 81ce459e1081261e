/** What an outbox tells about itself: event names and their payloads. Every payload names its outbox. */
export interface OutboxEvents {
  /** This process became the sequencer. */
  'sequencer:elected': { outbox: string; owner: string; epoch: number };
  /** This process is the sequencer no longer: it closed, its lease ran out, or another process has it. */
  'sequencer:lost': { outbox: string; owner: string; epoch: number; reason: 'closed' | 'expired' | 'taken' };
  /** The sequencer appended the positions `first` to `last`, majority-committed. */
  'log:append': { outbox: string; first: number; last: number; epoch: number };
  /**
   * Not even one message fits into the log above what the consumer `heldBy` has passed, so messages wait in pending;
   * `put` goes on as before. Told once, until the log has flowed again. `position` is the consumer's; `unpassed…` is what
   * stands above it, `reported…` what the server counts in the log (too
   * much after some crashes of the server), `sizeBytes` and `maxMessages` its caps. `pending` is how many messages are known to wait; there
   * may be more. `text` says all that, and what to do.
   */
  'log:full': {
    outbox: string;
    heldBy: string;
    position: number;
    unpassedBytes: number;
    unpassedMessages: number;
    reportedBytes: number;
    reportedMessages: number;
    sizeBytes: number;
    maxMessages: number | null;
    pending: number;
    text: string;
  };
  /** The wake-up cursor on the log was lost and is opened again; readers go on by index meanwhile. */
  'tail:reopen': { outbox: string; reason: string; error?: unknown };
  /** This process owns the consumer from now on. */
  'consumer:start': { outbox: string; consumer: string; position: number; epoch: number };
  /** The checkpoint moved. */
  'consumer:progress': { outbox: string; consumer: string; position: number; epoch: number };
  /** A message failed for the first time (since it was last retried by hand) and was set aside. */
  'consumer:park': ConsumerFailure & { nextAttemptAt: Date };
  /** A message that had failed before failed again, and is tried again. */
  'consumer:retry': ConsumerFailure & { nextAttemptAt: Date };
  /** A message became a dead letter: it is kept until it is retried or discarded. */
  'consumer:dead': ConsumerFailure;
  /** The destination is taken to be down, or up again; `error` is the last one met while it is down. */
  'consumer:outage': { outbox: string; consumer: string; state: 'down' | 'up'; error?: unknown };
  /** This process owns the consumer no longer, peacefully: nothing repeats but what did not end in time. */
  'consumer:stop': {
    outbox: string;
    consumer: string;
    position: number;
    epoch: number;
    reason: 'closed' | 'request' | 'unknown type';
  };
  /** This process lost the consumer: what was in flight may be handled again by another. */
  'consumer:lost': { outbox: string; consumer: string; epoch: number };
  /**
   * Something failed and is tried again, or a message could not be appended. `part` says where. Without a
   * listener it is dropped; it never ends the process.
   */
  error: {
    outbox: string;
    part: 'sequencer' | 'election' | 'tail' | 'consumer' | 'listener';
    error: unknown;
    /** With part `consumer`: which. */
    consumer?: string;
  };
}

/** A message that a consumer could not handle. */
interface ConsumerFailure {
  outbox: string;
  consumer: string;
  id: string;
  position: number;
  type: string;
  /** How many attempts have been made. */
  attempt: number;
  error: unknown;
}

/** A listener for one event. What it throws is reported as an `error` event and breaks nothing. */
export type OutboxListener<E extends keyof OutboxEvents> = (payload: OutboxEvents[E]) => void;

/** The payload without the outbox's name, which the emitter adds. */
type Payload<E extends keyof OutboxEvents> = Omit<OutboxEvents[E], 'outbox'>;

/** What the parts get of the emitter. */
export type Emit = <E extends keyof OutboxEvents>(event: E, payload: Payload<E>) => void;

/** A small typed emitter: Node's own throws for an `error` without a listener, and lets a listener break its caller. */
export class OutboxEmitter {
  readonly #listeners = new Map<keyof OutboxEvents, Set<(payload: never) => void>>();

  constructor(readonly outbox: string) {}

  on<E extends keyof OutboxEvents>(event: E, listener: OutboxListener<E>): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  off<E extends keyof OutboxEvents>(event: E, listener: OutboxListener<E>): void {
    this.#listeners.get(event)?.delete(listener);
  }

  readonly emit: Emit = (event, payload) => {
    // A faulty `error` listener is not told of its own fault: that could go on for ever.
    const report = (error: unknown) => event !== 'error' && this.emit('error', { part: 'listener', error });
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        const result = (listener as (payload: object) => unknown)({ outbox: this.outbox, ...payload });
        // An asynchronous listener compiles, since what a listener returns is of no matter.
        if (result instanceof Promise) result.catch(report);
      } catch (error) {
        report(error);
      }
    }
  };
}
