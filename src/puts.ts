import type { ClientSession } from 'mongoose';
import { OutboxError } from './errors.js';
import { inTurn } from './internal/session-queue.js';
import type { ResolvedOptions } from './options.js';
import { largestMessage, toPending } from './schema/pending-message.js';
import type { PutModels } from './schema/put-models.js';
import { insertPending } from './store/insert-pending.js';
import type { LogCap } from './store/set-up.js';
import type { Store } from './store/store.js';
import { checkTransaction, mongooseSession, noTransaction, putSession } from './store/transaction-of.js';

/** The way in: checks messages before anything is sent, and inserts them in the caller's transaction. */
export class Puts {
  constructor(
    private readonly store: Store,
    private readonly options: ResolvedOptions,
    private readonly models: PutModels,
    private readonly ready: () => Promise<LogCap>,
  ) {}

  /** @returns the ids, in the order of the messages */
  async put(messages: readonly unknown[], session: ClientSession | null | undefined): Promise<string[]> {
    const { currentSession, connection } = this.options;
    const ambient = session === undefined ? (currentSession?.() ?? mongooseSession(connection)) : session;
    if (ambient === undefined) throw noTransaction('put was called without a session, and none is ambient', putSession);
    if (ambient === null) return this.#insert(messages, null, () => undefined);
    const checkStill = checkTransaction(this.store, ambient, putSession);
    return inTurn(ambient, () => this.#insert(messages, ambient, checkStill));
  }

  async #insert(
    messages: readonly unknown[],
    session: ClientSession | null,
    checkStill: () => void,
  ): Promise<string[]> {
    if (messages.length === 0)
      throw new OutboxError('INVALID_MESSAGE', 'put was called with an empty array: give at least one message');
    const cap = await this.ready();
    const most = largestMessage(cap.sizeBytes);
    const pending = [];
    for (const message of messages) pending.push(await toPending(message, this.models, this.store.mongo, most));
    checkStill();
    await insertPending(this.store, pending, session);
    return pending.map(({ id, _id }) => id ?? _id.toHexString());
  }
}
