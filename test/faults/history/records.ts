/**
 * What the processes of a fault run write down. Each has a file of its own and writes a record before it takes the next
 * step, so that what a SIGKILL leaves behind is complete but for the step under way.
 *
 * `at` is in milliseconds on the machine's monotonic clock (CLOCK_MONOTONIC), which all processes share: a wall clock
 * may be set an hour wrong by a fault. Messages are told apart by `uid`: unlike an id, no two puts have the same.
 */

/** A message that is put. `poison`: its handlers fail it for good, so that it must end as a dead letter. */
export interface PutRecord {
  readonly uid: string;
  readonly type: string;
  /** A message without a key is its own key. */
  readonly key?: string;
  /** The caller's own; may be that of another message. */
  readonly id?: string;
  readonly poison?: boolean;
}

/** A transaction is about to begin, with everything that it will put, in put order. A retried transaction begins once. */
interface Begin {
  readonly kind: 'begin';
  readonly at: number;
  readonly tx: string;
  readonly messages: readonly PutRecord[];
  /**
   * One put outside any transaction (session null): it has no document in `FinalState.committed`, and where its outcome
   * is not known, any first part of it may be there, since the insert is ordered.
   */
  readonly bare?: true;
}

/** How it ended: the server acknowledged the commit; it is certain that none was sent or accepted; or neither is known. */
interface Outcome {
  readonly kind: 'committed' | 'aborted' | 'unknown';
  readonly at: number;
  readonly tx: string;
}

/** A message in the log, as a reader, a handler or a destination gets it. `created` in milliseconds since 1970. */
export interface Seen {
  readonly position: number;
  readonly uid: string;
  readonly created: number;
}

/** A reader opens: from a position, a Date (milliseconds since 1970) or an end of the log. */
interface Open {
  readonly kind: 'open';
  readonly at: number;
  readonly reader: string;
  readonly cursor: { readonly position: number } | { readonly date: number } | 'beginning' | 'end';
}

/** What it got since, in the order in which it got it. */
interface Read {
  readonly kind: 'read';
  readonly at: number;
  readonly reader: string;
  readonly entries: readonly Seen[];
}

/** It was told that its position has been overwritten: it may then begin anew further on. */
interface PositionLost {
  readonly kind: 'position lost';
  readonly at: number;
  readonly reader: string;
}

/** A handler, or a destination, gets messages: of a relay a whole batch at once, else one. */
interface Delivery {
  readonly kind: 'delivery';
  readonly at: number;
  readonly consumer: string;
  readonly epoch: number;
  /** Of a handler; a publisher is told none. */
  readonly attempt?: number;
  readonly entries: readonly Seen[];
}

/**
 * What became of messages that were delivered: handled (`ok`, for a relay also acknowledged), failed, or given up since
 * the signal aborted or the destination's answer came too late, so that the library can't count on it.
 */
interface Handled {
  readonly kind: 'handled';
  readonly at: number;
  readonly consumer: string;
  readonly epoch: number;
  readonly outcome: 'ok' | 'failed' | 'abandoned';
  readonly positions: readonly number[];
}

/** A rewind is about to be called for: from now on it may be accepted, also where the call fails or its process dies. */
interface Rewinding {
  readonly kind: 'rewinding';
  readonly at: number;
  readonly consumer: string;
  readonly position: number;
}

/** It was accepted: everything above `position` is to be delivered again after the call. */
interface Rewound {
  readonly kind: 'rewound';
  /** When the call returned. Its process has written `rewinding` before, with the same consumer and position. */
  readonly at: number;
  readonly consumer: string;
  readonly position: number;
}

/**
 * The consumer was closed in time, or had nothing running, and had not lost its lease: a hand-over after which nothing
 * repeats. Its epoch is over.
 */
interface HandedOver {
  readonly kind: 'handed over';
  readonly at: number;
  readonly consumer: string;
  readonly epoch: number;
}

export type HistoryRecord =
  Begin | Outcome | Open | Read | PositionLost | Delivery | Handled | Rewinding | Rewound | HandedOver;

/** One file of records, in the order in which its process wrote them. */
export interface ProcessHistory {
  readonly process: string;
  readonly records: readonly HistoryRecord[];
}

/** What a consumer is promised, and what is in the database when everything has come to rest. */
export interface FinalConsumer {
  readonly name: string;
  /** `transactional`: its effects are exactly once, and `projected` has them. */
  readonly kind: 'handler' | 'relay' | 'transactional';
  readonly order: 'key' | 'strict';
  /** Most messages above the checkpoint: so many may repeat after a crash. */
  readonly batchSize: number;
  /** The position after which it was registered; everything above is to be delivered. */
  readonly from: number;
  /** The message types that it takes; without, all. */
  readonly types?: readonly string[];
  /** Positions of its dead letters. */
  readonly dead: readonly number[];
  /** Of a transactional one: the uid of every effect that is stored, each as often as it is stored. */
  readonly projected?: readonly string[];
}

/** Read when the faults are over, the writers have ended and nothing moves any more. */
export interface FinalState {
  /** Transactions whose own document (written beside the messages) is there. */
  readonly committed: readonly string[];
  /** Uids of what was left in pending. */
  readonly pending: readonly string[];
  /** The lowest position that is still in the log: 1 where nothing has been overwritten. */
  readonly first: number;
  /** The last position in the log. */
  readonly last: number;
  readonly consumers: readonly FinalConsumer[];
}

export interface History {
  readonly processes: readonly ProcessHistory[];
  readonly final: FinalState;
}
