/**
 * Every code an `OutboxError` can carry, with whether trying the same call again can help.
 * Grouped by who must act.
 */
const retryableByCode = {
  // The caller: mend the call.
  INVALID_OPTION: false,
  INVALID_NAME: false,
  INVALID_SCHEMA: false,
  INVALID_MESSAGE: false,
  INVALID_CURSOR: false,
  INVALID_SESSION: false,
  UNKNOWN_TYPE: false,
  MESSAGE_TOO_LARGE: false,
  NO_TRANSACTION: false,
  NAME_IN_USE: false,
  SEQUENCER_DISABLED: false,
  CONSUMER_MISMATCH: false,
  CONSUMER_RUNNING: false,
  UNKNOWN_CONSUMER: false,
  INVALID_FILTER: false,
  INVALID_RESULT: false,
  HANDLER_TIMEOUT: true,
  READ_ONLY: false,
  CLOSED: false,
  // The operator: mend the server, the connection or the collections.
  NOT_CONNECTED: true,
  CONNECTION_CLOSED: false,
  NOT_A_REPLICA_SET: false,
  SERVER_TOO_OLD: false,
  STRICT_API: false,
  CAPPED_UNSUPPORTED: false,
  LOG_NOT_CAPPED: false,
  PENDING_UNSUITABLE: false,
  INBOX_UNSUITABLE: false,
  NOT_SET_UP: false,
  // The reader or consumer: its place in the log is gone, or it was removed.
  POSITION_LOST: false,
  CONSUMER_REMOVED: false,
  // A message: its process died while it was handled.
  PROCESS_DIED: true,
} as const;

/** Stable names of what went wrong; see docs/errors.md for each. */
export type OutboxErrorCode = keyof typeof retryableByCode;

/** All codes, for tests and documentation. */
export const outboxErrorCodes = Object.keys(retryableByCode) as readonly OutboxErrorCode[];

const brand = Symbol.for('service-outbox.OutboxError');

/**
 * The one error class of the library. The message says what happened, the option or field concerned and what
 * to do; it never holds a message's payload or a connection string.
 *
 * `instanceof OutboxError` works across copies of the library (ESM beside CJS, two versions): it looks for a
 * `Symbol.for` brand, not at the prototype.
 */
export class OutboxError extends Error {
  override readonly name: string = 'OutboxError';
  /** Stable name of what went wrong. */
  readonly code: OutboxErrorCode;
  /** Whether the same call can succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** With `POSITION_LOST`: the oldest position that is still in the log, where it is known. */
  declare readonly oldest?: number;

  constructor(code: OutboxErrorCode, message: string, details: { cause?: unknown; oldest?: number } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = retryableByCode[code];
    if (details.oldest !== undefined) this.oldest = details.oldest;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** The server's error code, where the error has a numeric one. */
export function serverCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** Whether the error carries one of the driver's error labels. */
export function hasLabel(error: unknown, label: string): boolean {
  const candidate = error as { hasErrorLabel?: (label: string) => boolean } | null | undefined;
  return typeof candidate?.hasErrorLabel === 'function' && candidate.hasErrorLabel(label);
}

/** How a value is shown in an error text: its kind, and short scalars as they are. Never payload data. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return `an object of ${value.constructor?.name ?? 'no class'}`;
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`;
}
