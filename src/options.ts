import mongoose from 'mongoose';
import type { ClientSession, Connection } from 'mongoose';
import { shown } from './errors.js';
import { baseOf } from './internal/base-of.js';
import {
  checkBoolean,
  checkKnown,
  checkWholeNumbers,
  checkWord,
  defined,
  invalidOption,
} from './internal/check-options.js';

/** Options of `ServiceOutbox`. Unknown or contradictory options are refused at construction with `INVALID_OPTION`. */
export interface ServiceOutboxOptions {
  /** The mongoose connection to use; it may still be connecting. Never closed by the outbox. @defaultValue `mongoose.connection` */
  connection?: Connection;
  /**
   * Cap of the log in bytes, used when the log is created; an existing log keeps its own cap. At least 1 MiB,
   * at most 1 PiB. @defaultValue `268435456` (256 MiB)
   */
  sizeBytes?: number;
  /** Cap of the log in messages, beside `sizeBytes`. 100 to 2,147,483,646. @defaultValue none */
  maxMessages?: number;
  /** Whether this process may be elected sequencer while it reads, consumes or has been started; with `false` a drain moves nothing either. @defaultValue `true` */
  sequencer?: boolean;
  /**
   * `"create"`: create what is missing and check what is there. `"check"`: create nothing, verify. `"none"`: trust,
   * and send nothing: a process that only puts then needs no right but insert on `<name>.pending`. @defaultValue `"create"`
   */
  setup?: 'create' | 'check' | 'none';
  /**
   * Gives the ambient session when `put` is called without one, for services that carry it in an
   * AsyncLocalStorage of their own. @defaultValue mongoose's `transactionAsyncLocalStorage`, where it is on
   */
  currentSession?: () => ClientSession | null | undefined;
  /** How long, in milliseconds, a dead sequencer or consumer holds its place. 100 to 600,000. @defaultValue `5000` */
  leaseMs?: number;
  /** How long, in milliseconds, `close` lets handlers, publishes and the append under way finish, then their signals abort; and how long it waits for an init under way. 0 to 600,000. @defaultValue `10000` */
  closeTimeoutMs?: number;
  /** Most messages that the sequencer moves in one command. 1 to 1,000. @defaultValue `1000` */
  appendBatchSize?: number;
  /**
   * Shortest time, in milliseconds, between two polls where a change stream or tailable cursor can't be had (refused
   * by the server, or no connection of the pool to spare). 1 to 60,000. @defaultValue `20`
   */
  pollMinMs?: number;
  /** Longest time, in milliseconds, between two such polls; they slow down while nothing comes. `pollMinMs` to 60,000. @defaultValue `500` */
  pollMaxMs?: number;
  /** How often, in milliseconds, the wake-ups are checked against the collections themselves. 100 to 600,000. @defaultValue `5000` */
  safetyPollMs?: number;
}

/** The options with every default filled in. `maxMessages`, `currentSession` may be absent. */
export type ResolvedOptions = Readonly<
  Required<Omit<ServiceOutboxOptions, 'maxMessages' | 'currentSession'>> &
    Pick<ServiceOutboxOptions, 'maxMessages' | 'currentSession'>
>;

const MiB = 1024 * 1024;

/** The defaults, next to the limits that the documentation gives. */
export const defaults = {
  sizeBytes: 256 * MiB,
  sequencer: true,
  setup: 'create',
  leaseMs: 5_000,
  closeTimeoutMs: 10_000,
  appendBatchSize: 1_000,
  pollMinMs: 20,
  pollMaxMs: 500,
  safetyPollMs: 5_000,
} as const satisfies ServiceOutboxOptions;

const wholeNumberLimits = {
  sizeBytes: [MiB, 2 ** 50],
  maxMessages: [100, 2 ** 31 - 2],
  leaseMs: [100, 600_000],
  closeTimeoutMs: [0, 600_000],
  appendBatchSize: [1, 1_000],
  pollMinMs: [1, 60_000],
  pollMaxMs: [1, 60_000],
  safetyPollMs: [100, 600_000],
} as const satisfies Partial<Record<keyof ServiceOutboxOptions, readonly [number, number]>>;

const known: readonly (keyof ServiceOutboxOptions)[] = [
  'connection',
  'sequencer',
  'setup',
  'currentSession',
  ...(Object.keys(wholeNumberLimits) as (keyof typeof wholeNumberLimits)[]),
];

/** Fills in the defaults and refuses what is unknown, out of its limits or contradictory. */
export function resolveOptions(given: ServiceOutboxOptions = {}): ResolvedOptions {
  checkKnown(given, known);
  const set = defined(given);
  checkWholeNumbers(set, wholeNumberLimits);
  checkBoolean('sequencer', set.sequencer);
  checkWord('setup', set.setup, ['create', 'check', 'none']);
  if (set.currentSession !== undefined && typeof set.currentSession !== 'function') {
    throw invalidOption(
      'currentSession',
      'must be a function that returns a ClientSession',
      `got ${shown(set.currentSession)}`,
    );
  }
  const resolved = { ...defaults, ...set, connection: connectionOf(set.connection) };
  if (resolved.pollMaxMs < resolved.pollMinMs) {
    throw invalidOption(
      'pollMaxMs',
      `must not be less than pollMinMs (${resolved.pollMinMs})`,
      `got ${resolved.pollMaxMs}`,
    );
  }
  return Object.freeze(resolved);
}

/** The connection given, or mongoose's default one; refuses what is none. */
export function connectionOf(given: Connection | undefined): Connection {
  const connection = given === undefined ? mongoose.connection : given;
  if (typeof connection?.getClient !== 'function' || baseOf(connection) === undefined) {
    throw invalidOption(
      'connection',
      'must be a mongoose Connection',
      `got ${shown(connection)}; pass mongoose.connection or mongoose.createConnection(…)`,
    );
  }
  return connection;
}
