import type mongoose from 'mongoose';
import type { ClientSession, Connection } from 'mongoose';
import { collectionNames, type CollectionRole } from '../schema/names.js';
import { OutboxError } from '../errors.js';
import { baseOf } from '../internal/base-of.js';
import { connectedClient, connectionClosed, isClosedByService } from './connected-client.js';

type Mongo = typeof mongoose.mongo;
/** The server's reply to `find`. */
export interface FindReply<D> {
  cursor: { firstBatch: D[]; atClusterTime?: mongoose.mongo.Timestamp };
}

/** Fields of a document, or of a server's reply, that are looked at one by one. */
export type Document = Record<string, unknown>;

/**
 * BSON options of every command, whatever the service's connection says. Numbers come as numbers, 64-bit integers as
 * Long (see int64.ts), binary data as Binary; `undefined` was refused before.
 *
 * Never `useBigInt64`: the driver decodes a "not primary" error with it too, keeps the bigint as the server's topology
 * version, and its monitor throws on it in a timer, which ends the process at the next election (driver 6 and 7,
 * NODE-2674).
 */
export const plainBson = {
  raw: false,
  promoteValues: true,
  promoteLongs: false,
  promoteBuffers: false,
  useBigInt64: false,
  // JavaScript can't compile every pattern, and decoding must not fail.
  bsonRegExp: true,
  ignoreUndefined: false,
  serializeFunctions: false,
} as const;

/** BSON types kept apart, so that a double 1 and a 64-bit 5 are written back as what they were. */
export const exactBson = {
  promoteValues: false,
  promoteLongs: false,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: true,
} as const;

/**
 * Time limit of one request on a waiting cursor, in milliseconds. The service's own `timeoutMS` would end an idle
 * cursor, and the driver refuses 0 beside `maxAwaitTimeMS`; newer drivers ignore it.
 */
export const cursorTimeoutMs = 60_000;

export const majority = { level: 'majority' } as const;
/** A write that waits for the majority, but not for ever: past `wtimeoutMS` the caller starts over. */
export const writeMajority = (wtimeoutMS: number) => ({ w: 'majority', wtimeoutMS }) as const;

/**
 * The one way to the server: the driver's own database handle of the service's connection, with explicit sessions.
 * mongoose's models are not used here: a loop started inside `connection.transaction` would carry that transaction's
 * session for ever where `transactionAsyncLocalStorage` is on.
 */
export class Database {
  #db: { client: mongoose.mongo.MongoClient; handle: mongoose.mongo.Db } | undefined;
  readonly mongo: Mongo;

  constructor(readonly connection: Connection) {
    this.mongo = baseOf(connection).mongo;
  }

  /** Waits for the connection as mongoose does. @throws `NOT_CONNECTED` */
  connected(): Promise<mongoose.mongo.MongoClient> {
    return connectedClient(this.connection);
  }

  get client(): mongoose.mongo.MongoClient {
    return this.connection.getClient();
  }

  /** @throws `CONNECTION_CLOSED`, `NOT_CONNECTED` */
  get db(): mongoose.mongo.Db {
    if (this.closedByService) throw connectionClosed();
    if (this.connection.db === undefined)
      throw new OutboxError('NOT_CONNECTED', 'the mongoose connection is not open yet: await outbox.init() first');
    const { client } = this;
    // Making a handle costs 60 us, as much as the rest of a put; a connection that was opened anew has another client.
    if (this.#db?.client !== client) this.#db = { client, handle: client.db(this.connection.db.databaseName) };
    return this.#db.handle;
  }

  get closedByService(): boolean {
    return isClosedByService(this.connection);
  }

  closedError(cause?: unknown): OutboxError {
    return connectionClosed(cause);
  }

  /** A session of the library's own, never the caller's; causally consistent. */
  session(): ClientSession {
    return this.client.startSession({ causalConsistency: true });
  }

  /** One command on the primary, not retried by the driver, without the service's own time limits and BSON options. */
  command(command: Document, options: { session?: ClientSession; [bson: string]: unknown } = {}): Promise<Document> {
    // The driver writes afterClusterTime into the object it is given: a shared one would carry it to other sessions.
    const { readConcern } = command;
    const own = readConcern === undefined ? command : { ...command, readConcern: { ...readConcern } };
    return this.db.command(own, {
      ...plainBson,
      readPreference: 'primary',
      timeoutMS: 0,
      ...options,
    });
  }

  /** A collection whose operations read from the primary at majority, and are retried by the driver where the service lets it. */
  collectionNamed(name: string): mongoose.mongo.Collection<Document> {
    return this.db.collection<Document>(name, {
      ...plainBson,
      readPreference: 'primary',
      readConcern: majority,
      writeConcern: { w: 'majority' },
      timeoutMS: 0,
    });
  }
}

/** The database with the collections of one outbox. */
export class Store extends Database {
  readonly names: ReturnType<typeof collectionNames>;

  constructor(
    connection: Connection,
    readonly outbox: string,
  ) {
    super(connection);
    this.names = collectionNames(outbox);
  }

  /** As `collectionNamed`. */
  collection(role: CollectionRole): mongoose.mongo.Collection<Document> {
    return this.collectionNamed(this.names[role]);
  }
}
