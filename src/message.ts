/**
 * Glossary. One word per idea, the same in code, docs, events and collection names.
 *
 * - message: what a service puts: a type, data, and optionally a key, headers and an id of its own.
 * - key: what order is kept by; messages of one key are never handled side by side.
 * - id: the caller's, or ours; consumers recognise a repeated message by it.
 * - token: ours, one per put, internal; it tells two puts apart even when their ids are equal.
 * - position: the message's place in the log: 1, 2, 3 … without gaps.
 * - created: server time at which the message entered the log; never falls as position rises.
 * - pending: the collection that `put` writes to, inside the caller's transaction.
 * - log: the capped collection that holds every committed message once, by position.
 * - genesis entry: position 0 of a new log; no message, never delivered and never counted.
 * - sequencer: the elected process that moves messages from pending to the log.
 * - lease: what makes a process the sequencer, or the owner of a consumer, for a while; epoch: the number that rises by
 *   one each time a lease changes hands.
 * - tail: reading the log from a cursor onward, live.
 * - consumer: named and durable; handles every message of the log, run by one process at a time.
 * - checkpoint: the position up to which a consumer has handled, parked or filtered out everything.
 * - window: the messages above the checkpoint that are in flight or handled; what may repeat after a crash.
 * - publisher: where batches of messages are sent; relay: a consumer that hands them to a publisher.
 * - attempt: one try to handle a message that counts against it.
 * - park: to set a failing message aside, copied to the failures with the time of its next attempt, so that others go on.
 * - failure: a message that is being retried, queued behind one of its key, or given up.
 * - dead letter: a failure that was given up; kept until it is retried or discarded.
 * - outage: nothing succeeds; the consumer waits and spends no attempt.
 * - retention: the log keeps what registered consumers have not passed; floor: the position up to which it may be
 *   overwritten. Of an inbox: how long it remembers an id.
 * - inbox: the ids of the messages that a consumer has applied.
 * - stray entry: an entry at a position that the log has already overwritten, inserted late by a
 *   process that was paused; it is never delivered.
 */

/** The shape every message type of a service extends; a service's `Message` is a union of such types. */
export type OutboxMessage = {
  /** Names the message type; one of the keys of the schemas given to the outbox. */
  type: string;
  /** The payload, validated and cast by the schema of its type. */
  data: object;
  /** The caller's own id; need not be unique. Default: the put's token, 24 hexadecimal digits. */
  id?: string;
  /** What order is kept by. A message without a key is its own key. */
  key?: string;
  /** Free text values that travel beside the data. */
  headers?: Record<string, string>;
};

/** What `put` takes: the message, with `id`, `key` and `headers` whether `Message` declares them or not. */
export type Put<M> = M extends unknown ? M & { id?: string; key?: string; headers?: Record<string, string> } : never;

/** What readers get: the message with its place in the log. */
export type Delivered<M> = M extends unknown
  ? M & {
      id: string;
      /** 1, 2, 3 … without gaps. */
      position: number;
      /** Server time at which the message entered the log. */
      created: Date;
      key?: string;
      headers: Record<string, string>;
    }
  : never;

/**
 * The member of the union `M` whose type is `T`. While the type of an argument is being inferred the compiler asks with `never`,
 * and takes the answer for good: `relay('x', kafkaPublisher(producer, …))` then is a publisher of every message.
 */
export type Of<M, T> = [T] extends [never] ? M : Extract<M, { type: T }>;

/**
 * Where reading begins. A `Date`: messages whose `created` is at or after it (inclusive, so the
 * messages of its millisecond come again). A number: messages whose position is greater (exact).
 * `"beginning"`: the oldest message that is still there. `"end"`: what enters the log from now on.
 */
export type Cursor = Date | number | 'beginning' | 'end';

/** Options of `tail` and `messages`. */
export type TailOptions<T extends string = string> = {
  /** Deliver only these message types. Default: all. An unknown type is refused. */
  types?: readonly T[];
  /** Ends the reader without an error when it aborts. */
  signal?: AbortSignal;
};

/** A document of the log as `ServiceOutbox.model` reads it. The genesis entry has no `type`. */
export type LogEntry<M> = M extends unknown
  ? M & {
      /** The position. */
      _id: number;
      created: Date;
      epoch: number;
      id?: string;
      key?: string;
      headers?: Record<string, string>;
    }
  : never;
