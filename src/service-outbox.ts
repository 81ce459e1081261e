import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Scheduler, Stream } from '@most/types';
import type { ClientSession, Model } from 'mongoose';
import { Standby } from './election/standby.js';
import { OutboxError, shown } from './errors.js';
import { OutboxEmitter, type OutboxEvents, type OutboxListener } from './events.js';
import { baseOf } from './internal/base-of.js';
import { Lifecycle } from './internal/lifecycle.js';
import { Consumers } from './consumer/consumers.js';
import type { Failures } from './consumer/failures.js';
import type {
  Consumer,
  ConsumerOptions,
  DrainOptions,
  DrainReport,
  Handler,
  HandlerMap,
  RelayOptions,
  TransactionalHandler,
  TransactionalHandlerMap,
} from './handler.js';
import type { Publisher } from './publisher.js';
import { idOf, toDelivered } from './store/delivered.js';
import { findStart } from './tail/find-start.js';
import type { Cursor, Delivered, LogEntry, Of, OutboxMessage, Put, TailOptions } from './message.js';
import { resolveOptions, type ResolvedOptions, type ServiceOutboxOptions } from './options.js';
import { checkSchemas } from './schema/check-schemas.js';
import { compileLogModel, removeLogModel } from './schema/log-model.js';
import type { AnySchemas, MessageOf, MessageSchemas } from './schema/message-schemas.js';
import { checkName } from './schema/names.js';
import { PutModels } from './schema/put-models.js';
import { Reviver } from './schema/revive.js';
import { Puts } from './puts.js';
import { Sequencer } from './sequencer/sequencer.js';
import { readStatus, type OutboxStatus } from './status.js';
import { reserveName } from './store/reserve-name.js';
import { setUp, type LogCap } from './store/set-up.js';
import { Store } from './store/store.js';
import { Tails } from './tail/tails.js';

// Longer than other files by its docstrings: the whole public surface is here, and each method hands on to the part that does it.

/**
 * A transactional outbox: messages put inside a mongoose transaction are appended, once it commits, exactly once and in
 * causal order to a capped log that any number of readers tail.
 *
 * @example
 * ```ts
 * type Message = { type: "order_created"; data: { ordernr: number } };
 * const outbox = new ServiceOutbox<Message>("OrderServiceOutbox", {
 *   order_created: { data: { ordernr: { type: Number, required: true } } },
 * });
 * await mongoose.connection.transaction(async (session) => {
 *   await Order.create([{ ordernr: 1 }], { session });
 *   await outbox.put({ type: "order_created", data: { ordernr: 1 } }, session);
 * });
 * ```
 */
export class ServiceOutbox<Message extends OutboxMessage> implements AsyncDisposable {
  /** The name given; the log's collection has it too. */
  readonly name: string;
  /**
   * The log as a mongoose model, for queries only; `_id` is the position, one discriminator per message type.
   * `{ type: { $exists: true } }` leaves the genesis entry out.
   */
  readonly model: Model<LogEntry<Message>>;

  /** Named consumers, wherever they run: list, pause, resume, rewind, remove. */
  readonly consumers: Pick<Consumers<Message>, 'list' | 'pause' | 'resume' | 'rewind' | 'remove'>;
  /** Messages that failed, of all consumers: list, retry, discard. */
  readonly failures: Pick<Failures<Message>, 'list' | 'retry' | 'discard'>;

  readonly #options: ResolvedOptions;
  readonly #store: Store;
  readonly #putModels: PutModels;
  readonly #puts: Puts;
  readonly #events: OutboxEmitter;
  readonly #sequencer: Sequencer;
  readonly #tails: Tails;
  readonly #consumers: Consumers<Message>;
  readonly #lifecycle: Lifecycle<LogCap>;

  /**
   * Does nothing on the server; see `init`.
   *
   * @param name letters, digits, `_`, `.`, `-`; at most 100 characters
   * @param schemas one per message type; see `MessageSchemas`
   * @throws `INVALID_NAME`, `INVALID_SCHEMA`, `INVALID_OPTION`; `NAME_IN_USE` while another outbox of this name is open on the connection
   */
  constructor(name: string, schemas: MessageSchemas<Message>, options?: ServiceOutboxOptions) {
    checkName(name);
    const declared: unknown = schemas;
    checkSchemas(declared);
    this.name = name;
    this.#options = resolveOptions(options);
    const { connection } = this.#options;
    const base = baseOf(connection);
    this.#putModels = new PutModels(base, name, declared);
    const reviver = new Reviver(base, declared);
    const freeName = reserveName(connection, name);
    try {
      this.model = compileLogModel<Message>(connection, name, declared, this.#options);
    } catch (error) {
      freeName();
      throw error;
    }
    this.#store = new Store(connection, name);
    this.#puts = new Puts(this.#store, this.#options, this.#putModels, () => this.#lifecycle.ready());
    this.#events = new OutboxEmitter(name);
    const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
    const standby = new Standby(this.#store, this.#options, (error) =>
      this.#events.emit('error', { part: 'election', error }),
    );
    this.#sequencer = new Sequencer(this.#store, this.#options, owner, standby, this.#events.emit);
    this.#tails = new Tails(this.#store, this.#options, reviver, this.#events.emit, {
      ready: () => this.#lifecycle.ready(),
      takePart: () => this.#takePart(),
    });
    this.#consumers = new Consumers<Message>({
      store: this.#store,
      options: this.#options,
      emit: this.#events.emit,
      owner,
      standby,
      types: this.#putModels.types,
      ready: () => this.#lifecycle.ready(),
      takePart: () => this.#takePart(),
      deliver: (entry) => toDelivered(entry, reviver),
      idOf,
      findStart: (cursor) => findStart(this.#store, cursor),
      pages: (position, live, signal) => this.#tails.pages(position, live, signal),
      sequence: (signal) => (this.#options.sequencer ? this.#sequencer.sequence(signal) : Promise.resolve()),
    });
    this.consumers = this.#consumers;
    this.failures = this.#consumers.failures;
    this.#lifecycle = new Lifecycle(
      name,
      () => setUp(this.#store, this.#options),
      async () => {
        await this.#consumers.close();
        await this.#tails.close();
        await this.#sequencer.close(this.#options.closeTimeoutMs);
        removeLogModel(connection, name);
        freeName();
      },
      this.#options.closeTimeoutMs,
    );
  }

  /** The same as the constructor, with the message type inferred from the schemas. */
  static define<const S extends AnySchemas>(
    name: string,
    schemas: S,
    options?: ServiceOutboxOptions,
  ): ServiceOutbox<MessageOf<S>> {
    return new ServiceOutbox<MessageOf<S>>(name, schemas as unknown as MessageSchemas<MessageOf<S>>, options);
  }

  /**
   * Creates the collections and checks them, once, as the option `setup` says; every other call awaits it. Call it when
   * the service starts: a transaction that began before the collections existed must be retried by MongoDB's rules.
   *
   * @throws `NOT_CONNECTED`, `CONNECTION_CLOSED`, `NOT_A_REPLICA_SET`, `SERVER_TOO_OLD`, `STRICT_API`, `CAPPED_UNSUPPORTED`, `LOG_NOT_CAPPED`, `PENDING_UNSUITABLE`, `NOT_SET_UP`; a failed call can be repeated
   */
  async init(): Promise<void> {
    await this.#lifecycle.ready();
  }

  /**
   * Puts a message inside the caller's transaction: it is delivered if and only if the transaction commits. One insert,
   * nothing else is sent. Puts started together on one session are queued in the order of the calls.
   *
   * @param session the transaction's session. May be left out where mongoose's `transactionAsyncLocalStorage` or the
   * option `currentSession` supplies it. `null`: outside any transaction, on purpose, at w:majority.
   * @returns the message's id: its own, else 24 hexadecimal digits
   * @throws before anything is sent, with the transaction still usable: `NO_TRANSACTION`, `INVALID_SESSION`,
   * `INVALID_MESSAGE`, `UNKNOWN_TYPE`, `MESSAGE_TOO_LARGE`, `CLOSED`, or mongoose's ValidationError. Errors of the
   * driver pass as they are, and end the transaction as any failed write does.
   */
  put(message: Put<Message>, session?: ClientSession | null): Promise<string>;
  /**
   * Puts several messages in one round trip, in their order; one bad message refuses them all.
   * @returns their ids, in the same order
   */
  put(messages: readonly Put<Message>[], session?: ClientSession | null): Promise<string[]>;
  async put(
    message: Put<Message> | readonly Put<Message>[],
    session?: ClientSession | null,
  ): Promise<string | string[]> {
    this.#lifecycle.checkOpen();
    const isArray = Array.isArray(message);
    const ids = await this.#puts.put(isArray ? message : [message], session);
    return isArray ? ids : (ids[0] as string);
  }

  /**
   * The log as a @most stream from the cursor on, then live: `[stream, scheduler, close]`. The stream is cold, each run
   * reads for itself. `close` ends every run without an error. @most has no back-pressure: for work that must be done
   * in order, and awaited, use `messages`.
   *
   * @param cursor default `"beginning"`
   * @throws `INVALID_CURSOR`, `INVALID_OPTION`, `UNKNOWN_TYPE`, `CLOSED`. The stream itself ends with `POSITION_LOST` when the log
   * has overwritten what comes next
   */
  tail<T extends Message['type'] = Message['type']>(
    cursor: Cursor = 'beginning',
    options: TailOptions<T> = {},
  ): [Stream<Delivered<Of<Message, T>>>, Scheduler, () => Promise<void>] {
    this.#lifecycle.checkOpen();
    return this.#tails.tail<Delivered<Of<Message, T>>>(cursor, options, this.#putModels.types);
  }

  /**
   * The log as an async iterable from the cursor on, then live; with `live: false` it ends at the end of the log (what
   * is still pending is not waited for). The next message is taken only when asked for, so a slow loop is never overrun.
   *
   * @param cursor default `"beginning"`
   * @throws as `tail`
   */
  messages<T extends Message['type'] = Message['type']>(
    cursor: Cursor = 'beginning',
    options: TailOptions<T> & { live?: boolean } = {},
  ): AsyncIterable<Delivered<Of<Message, T>>> {
    this.#lifecycle.checkOpen();
    return this.#tails.messages<Delivered<Of<Message, T>>>(cursor, options, this.#putModels.types);
  }

  /**
   * Handles every message from the log, durably: the consumer of this name has a checkpoint, is run by one process at a
   * time, and goes on where it was, in this process or another. At least once, in order per key.
   *
   * @param name letters, digits, `_`, `.`, `-`; at most 100 characters
   * @param handle a function, or one per message type; a message is done when it resolves
   * @throws `INVALID_NAME`, `INVALID_OPTION`, `INVALID_CURSOR`, `UNKNOWN_TYPE`, `CONSUMER_RUNNING` while this process runs that name, `CLOSED`. What
   * the server says of it (`CONSUMER_MISMATCH`, `POSITION_LOST` …) rejects `closed`, and is an `error` event
   */
  consume<T extends Message['type'] = Message['type']>(
    name: string,
    handle: TransactionalHandler<Of<Message, NoInfer<T>>> | TransactionalHandlerMap<Of<Message, NoInfer<T>>>,
    options: ConsumerOptions<T> & { transactional: true },
  ): Consumer;
  consume<T extends Message['type'] = Message['type']>(
    name: string,
    handle: Handler<Of<Message, NoInfer<T>>> | HandlerMap<Of<Message, NoInfer<T>>>,
    options?: ConsumerOptions<T> & { transactional?: false },
  ): Consumer;
  consume(name: string, handle: unknown, options: ConsumerOptions = {}): Consumer {
    this.#lifecycle.checkOpen();
    return this.#consumers.start('consume', name, handle, options);
  }

  /**
   * Publishes every message in ordered batches, durably; as `consume`, with a publisher in the place of a handler.
   * @throws as `consume`
   */
  relay<T extends Message['type'] = Message['type']>(
    name: string,
    publisher: Publisher<Of<Message, NoInfer<T>>>,
    options: RelayOptions<T> = {},
  ): Consumer {
    this.#lifecycle.checkOpen();
    return this.#consumers.start('relay', name, publisher, options);
  }

  /**
   * Runs a consumer or relay once, until nothing is left: for cron and serverless. Moves what is pending to the log
   * first, so no other process need run.
   *
   * @throws as `consume`, and what rejects `closed` there
   */
  drain<T extends Message['type'] = Message['type']>(
    name: string,
    handle: TransactionalHandler<Of<Message, NoInfer<T>>> | TransactionalHandlerMap<Of<Message, NoInfer<T>>>,
    options: DrainOptions<T> & { transactional: true },
  ): Promise<DrainReport>;
  drain<T extends Message['type'] = Message['type']>(
    name: string,
    handle: Handler<Of<Message, NoInfer<T>>> | HandlerMap<Of<Message, NoInfer<T>>> | Publisher<Of<Message, NoInfer<T>>>,
    options?: DrainOptions<T> & { transactional?: false },
  ): Promise<DrainReport>;
  async drain(name: string, handle: unknown, options: DrainOptions = {}): Promise<DrainReport> {
    this.#lifecycle.checkOpen();
    return this.#consumers.drain(name, handle, options);
  }

  /** How the outbox is doing, in a few indexed queries. */
  async status(): Promise<OutboxStatus> {
    await this.#lifecycle.ready();
    return readStatus(this.#store, () => this.#consumers.list());
  }

  /** Calls `listener` at each such event. */
  on<E extends keyof OutboxEvents>(event: E, listener: OutboxListener<E>): this {
    this.#events.on(event, listener);
    return this;
  }

  /** Takes a listener off again. */
  off<E extends keyof OutboxEvents>(event: E, listener: OutboxListener<E>): this {
    this.#events.off(event, listener);
    return this;
  }

  /**
   * Takes part in the election of the sequencer without reading. A live `tail` or `messages` does so by itself.
   * @throws `SEQUENCER_DISABLED` with the option `sequencer: false`; what `init` throws
   */
  async start(): Promise<void> {
    if (!this.#options.sequencer) {
      throw new OutboxError(
        'SEQUENCER_DISABLED',
        `start() was called on the outbox ${shown(this.name)} which has the option sequencer: false: leave the option out in the processes that are to move messages`,
      );
    }
    await this.#lifecycle.ready();
    this.#takePart();
  }

  /**
   * Ends all readers without an error, lets the append under way finish (at most `closeTimeoutMs`) and gives the lease
   * back, so that another process takes over at once. Later calls throw `CLOSED`. Idempotent. The connection stays open.
   */
  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #takePart(): void {
    if (this.#options.sequencer) this.#sequencer.start();
  }
}
