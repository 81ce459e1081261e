import type { ClientSession } from 'mongoose';
import type { Cursor, Delivered, Of, OutboxMessage } from './message.js';

/** What a handler is told beside the message. */
export interface HandlerContext {
  /** Aborts when the lease is lost, at `handlerTimeoutMs`, or when closing takes too long: stop side effects then. */
  readonly signal: AbortSignal;
  /** The consumer's name. */
  readonly consumer: string;
  /** Rises with each change of the owner. */
  readonly epoch: number;
  /** 1 for the first attempt at this message. */
  readonly attempt: number;
}

/** With `transactional: true`: what is written with `session` commits together with the checkpoint. */
export interface TransactionalContext extends HandlerContext {
  readonly session: ClientSession;
}

/** Handles one message. It is done when this returns or resolves, and failed when it throws or rejects. */
export type Handler<M, C = HandlerContext> = (message: Delivered<M>, context: C) => Promise<void> | void;
/** A handler per message type, total: a new type does not compile until it is handled, or left out by `types`. */
export type HandlerMap<M extends OutboxMessage, C = HandlerContext> = { [T in M['type']]: Handler<Of<M, T>, C> };
/** A handler that runs inside `connection.transaction`. */
export type TransactionalHandler<M> = Handler<M, TransactionalContext>;
/** A transactional handler per message type. */
export type TransactionalHandlerMap<M extends OutboxMessage> = HandlerMap<M, TransactionalContext>;

/** When a failed message is tried again: after `initialDelayMs * factor^(n - 1)`, at most `maxDelayMs`. */
export interface RetryOptions {
  /** Attempts before a message becomes a dead letter. 1 to 1,000. @defaultValue `10` */
  maxAttempts?: number;
  /** Milliseconds before the second attempt. 1 to 86,400,000. @defaultValue `1000` */
  initialDelayMs?: number;
  /** Longest delay in milliseconds, `RetryAfter` aside; never less than `initialDelayMs`. `initialDelayMs` to 604,800,000. @defaultValue `300000` */
  maxDelayMs?: number;
  /** By how much the delay grows with each attempt. 1 to 100. @defaultValue `2` */
  factor?: number;
  /** The part of a delay that is random, so that retries spread: 0 none, 0.5 between half and all of it. 0 to 1. @defaultValue `0.5` */
  jitter?: number;
}

/** Options of `relay`. */
export interface RelayOptions<T extends string = string> {
  /** Where a new name starts; one that exists goes on from its checkpoint. @defaultValue `"beginning"` */
  from?: Cursor;
  /** Only these message types; the others are passed over. @defaultValue all */
  types?: readonly T[];
  /**
   * `"key"`: messages of one key one after another in log order; a failing one is parked, later ones of its key queue
   * up behind it, everything else goes on. `"strict"`: everything waits. Fixed once the consumer exists. @defaultValue `"key"`
   */
  order?: 'key' | 'strict';
  /**
   * The window: most messages above the checkpoint that are in flight or handled, which bounds what repeats after a
   * crash. A relay publishes up to so many at once, or half of it where it is above 500: while one half is on its way, the
   * checkpoint of the other is stored. 1 to 10,000. @defaultValue `100` for `consume`, `concurrency` where that is more, `1000` for `relay`
   */
  batchSize?: number;
  /** When a failed message is tried again, and how often. */
  retry?: RetryOptions;
  /** Whether the messages of a dead letter's key go on without it, or stay blocked until it is retried or discarded. @defaultValue `"continue"` */
  onDeadLetter?: 'continue' | 'block';
  /** Closes the consumer when it aborts. */
  signal?: AbortSignal;
}

/** Options of `consume`. */
export interface ConsumerOptions<T extends string = string> extends RelayOptions<T> {
  /** Handlers that run at the same time. 1 to 1,000; no more than `batchSize` do; 1 with `order: "strict"` or `transactional`. @defaultValue `1` */
  concurrency?: number;
  /** Milliseconds after which a handler's signal aborts and its attempt counts as failed. 1 to 86,400,000. @defaultValue `30000` */
  handlerTimeoutMs?: number;
  /** Runs the handler in a transaction that commits together with the checkpoint. Fixed once the consumer exists. @defaultValue `false` */
  transactional?: boolean;
}

/** Options of `drain`. */
export interface DrainOptions<T extends string = string> extends ConsumerOptions<T> {
  /**
   * Most messages to begin, failing and retried ones included; and one more, where a publisher rejects a message alone and
   * another one must show whether it is that message's fault. @defaultValue no limit
   */
  maxMessages?: number;
  /** Milliseconds from the call after which it returns. 1 to 2,147,483,647. @defaultValue no limit */
  deadlineMs?: number;
  /** Where another process holds the consumer: return at once with its name, or wait until `deadlineMs` (for ever without one). @defaultValue `"return"` */
  ifHeld?: 'return' | 'wait';
}

/** What a drain did and left. */
export interface DrainReport {
  /** Messages handled. */
  handled: number;
  /** Attempts that failed and are to be made again. */
  failed: number;
  /** Messages that became dead letters. */
  dead: number;
  /** Messages left: in the log above the checkpoint, and pending. */
  remaining: number;
  /** Who holds the consumer, when it was not this call to its end: a process, `"a pause"` or `"a request"`. */
  heldBy: string | null;
  /** When the next failed message is due. */
  nextAttemptAt: Date | null;
}

/** A running consumer or relay. It starts by itself. */
export interface Consumer extends AsyncDisposable {
  readonly name: string;
  /** Resolves when it was closed; rejects when it was removed or can't go on. A lost lease is neither. */
  readonly closed: Promise<void>;
  /** Lets what is in flight finish for at most `closeTimeoutMs`, then aborts its signal; stores the checkpoint and gives the lease back. Idempotent. */
  close(): Promise<void>;
}

/** An error as it is kept: its texts and stack shortened, user and password of URIs taken out. */
export interface ErrorInfo {
  name: string;
  message: string;
  code?: string | number;
  stack?: string;
}

/** What `consumers.list` and `status` tell of a consumer. */
export interface ConsumerInfo {
  name: string;
  /** The checkpoint: everything up to it was handled, parked or filtered out. */
  position: number;
  /** Messages of the log above the checkpoint. */
  lag: number;
  /** Milliseconds for which the oldest of them has been in the log; 0 without any. */
  lagMs: number;
  /**
   * running: owned, at work or waiting for messages; backing-off: the destination is taken to be down; blocked: by a type that
   * its processes do not know, or strictly behind a dead letter; paused: until `resume`; standby: nobody owns it, this
   * process waits for its turn; stopped: nobody owns it that this process knows of.
   */
  state: 'running' | 'standby' | 'backing-off' | 'blocked' | 'paused' | 'stopped';
  /** The process that holds it: host:pid:random. */
  owner: string | null;
  epoch: number;
  /** Failures that are retried or queued behind one that is. */
  retrying: number;
  /** Dead letters. */
  dead: number;
  lastError: ErrorInfo | null;
  paused: { by?: string; reason?: string; at: Date } | null;
  /** What was being handled when the owner last told, and for how many milliseconds by then. */
  inFlight: { position: number; id: string; attempt: number; sinceMs: number }[];
  /** When the owner last told of itself. */
  updatedAt: Date;
}

/** A message that failed: it is being retried, queued behind one of its key, or given up (a dead letter). */
export interface Failure<M extends OutboxMessage = OutboxMessage> {
  /** The message's id. */
  id: string;
  /** Null for a message that could never be appended to the log. */
  consumer: string | null;
  position: number | null;
  type: string;
  key?: string;
  state: 'retrying' | 'queued' | 'dead';
  attempts: number;
  nextAttemptAt: Date | null;
  /** Null while queued. */
  firstError: ErrorInfo | null;
  lastError: ErrorInfo | null;
  firstFailedAt: Date;
  lastFailedAt: Date;
  message: Delivered<M>;
}

/** Which failures; given fields must all match. `retry` and `discard` refuse an empty one without `all`. */
export interface FailureFilter {
  consumer?: string;
  state?: 'retrying' | 'queued' | 'dead';
  type?: string;
  key?: string;
  ids?: readonly string[];
  positions?: readonly number[];
  /** Every failure of the outbox. */
  all?: true;
  /** Most failures. 1 to 10,000. @defaultValue for `list` `100`, for `retry` and `discard` no limit */
  limit?: number;
  /** Only what comes after this one, in order of consumer and position. */
  after?: { consumer: string | null; position: number | null };
}
