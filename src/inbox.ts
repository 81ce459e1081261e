import type { ClientSession } from 'mongoose';
import { OutboxError, shown } from './errors.js';
import { resolveInboxOptions, type InboxOptions } from './inbox-options.js';
import { Lifecycle } from './internal/lifecycle.js';
import { inTurn } from './internal/session-queue.js';
import { checkMessageId, messageIdOf } from './schema/message-id.js';
import { checkName, inboxCollection } from './schema/names.js';
import { forgetId, recordId } from './store/inbox-ids.js';
import { setUpInbox } from './store/set-up-inbox.js';
import { Database } from './store/store.js';
import { checkTransaction, onceSession } from './store/transaction-of.js';

/**
 * Applies each message once, though it may be delivered more than once: the message's id is recorded in the transaction
 * that applies it. The id and the effects are committed together, or neither is.
 *
 * @example
 * ```ts
 * const inbox = new Inbox("Billing");
 * await mongoose.connection.transaction(async (session) => {
 *   await inbox.once(message.id, session, async () => {
 *     await Account.updateOne({ _id: message.customer }, { $inc: { balance: message.amount } }, { session });
 *   });
 * });
 * ```
 */
export class Inbox {
  /** The name given. Ids are kept in the collection `<name>.inbox`; another name knows nothing of them. */
  readonly name: string;
  readonly #database: Database;
  readonly #collection: string;
  readonly #lifecycle: Lifecycle<void>;

  /**
   * Does nothing on the server; see `init`. Nothing is held open, so there is nothing to close.
   *
   * @param name letters, digits, `_`, `.`, `-`; at most 100 characters. One for each consumer: two that each apply a message have two inboxes
   * @throws `INVALID_NAME`, `INVALID_OPTION`
   */
  constructor(name: string, options?: InboxOptions) {
    checkName(name, 'inbox');
    const { connection, retentionMs } = resolveInboxOptions(options);
    this.name = name;
    this.#database = new Database(connection);
    this.#collection = inboxCollection(name);
    this.#lifecycle = new Lifecycle(
      name,
      () => setUpInbox(this.#database, this.#collection, retentionMs),
      async () => undefined,
    );
  }

  /**
   * Creates the collection and its TTL index and checks them, once; `once` awaits it. Call it when the service starts: a
   * transaction that began before the collection existed must be retried by MongoDB's rules, and a change of
   * `retentionMs` waits for the transactions under way that use the inbox (it needs the right to `collMod`).
   *
   * @throws `NOT_CONNECTED`, `CONNECTION_CLOSED`, `NOT_A_REPLICA_SET`, `INBOX_UNSUITABLE`; a failed call can be repeated
   */
  async init(): Promise<void> {
    await this.#lifecycle.ready();
  }

  /**
   * Runs `work` inside the caller's transaction, unless a message of this id was applied within `retentionMs`. Of
   * duplicates that come at the same time one runs: the other's transaction gets a write conflict, which
   * `connection.transaction` and `session.withTransaction` retry; it then finds the id.
   *
   * When `work` throws, the error passes and the id is taken out of the transaction again. Let the error abort the
   * transaction. Where it is caught and the transaction commits all the same, the message counts as not applied and runs
   * when it comes again, but what `work` had written before it threw is committed: catch inside `work` what is to count
   * as applied.
   *
   * @param messageId what the sender names the message by: not empty, at most 1,000 characters
   * @param session of the transaction; `work` must use it too. Await `once` before the transaction ends
   * @returns what `work` returns; undefined when it was not run
   * @throws before anything is sent, with the transaction still usable: `INVALID_MESSAGE`, `INVALID_SESSION`,
   * `NO_TRANSACTION`, `INVALID_OPTION`; what `init` throws. Errors of the driver pass as they are, and end the
   * transaction as any failed write does.
   */
  async once<T>(messageId: string, session: ClientSession, work: () => Promise<T>): Promise<T | undefined> {
    checkMessageId(messageId);
    const given: unknown = work;
    if (typeof given !== 'function')
      throw new OutboxError(
        'INVALID_OPTION',
        `the work given to once must be a function that returns a promise: got ${shown(given)}`,
      );
    const checkStill = checkTransaction(this.#database, session, onceSession);
    const isNew = await inTurn(session, async () => {
      await this.init();
      checkStill();
      return recordId(this.#database, this.#collection, messageId, session);
    });
    if (!isNew) return undefined;
    checkStill();
    try {
      return await work();
    } catch (error) {
      await this.#forget(messageId, session, checkStill);
      throw error;
    }
  }

  /** `once` by the id of a message, such as those of `ServiceOutbox`. */
  async handle<T>(message: { id: string }, session: ClientSession, work: () => Promise<T>): Promise<T | undefined> {
    return this.once(messageIdOf(message), session, work);
  }

  /** Whoever catches the error of `work` and commits must not find the message applied when it comes again. */
  async #forget(messageId: string, session: ClientSession, checkStill: () => void): Promise<void> {
    try {
      await inTurn(session, async () => {
        checkStill();
        await forgetId(this.#database, this.#collection, messageId, session);
      });
    } catch {
      // The transaction has ended, and with it the id; what work threw says why.
    }
  }
}
