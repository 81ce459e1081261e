/** What an error of `publish` says. */
export type NatsFailure =
  /** Nothing takes the subject: no stream has it, or the stream has no leader just now. */
  | 'no-responders'
  /** This message can never be stored. */
  | 'refused'
  /** The user may not publish to the subject. */
  | 'denied'
  /** The server, or its stream, stores nothing now. */
  | 'outage'
  /** The server refused this message, for a reason that may pass. */
  | 'own';

interface Told {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  /** nats 2 */
  readonly api_error?: ApiError;
  /** @nats-io/jetstream 3 */
  readonly apiError?: () => ApiError;
}
interface ApiError {
  readonly code: number;
  readonly err_code: number;
}

/** https://github.com/nats-io/nats-server/blob/main/server/errors.json: the message is too large, or its headers are. */
const tooLarge: ReadonlySet<unknown> = new Set([10_054, 10_097]);

/** By what both clients tell: nats 2 by codes, @nats-io/jetstream 3 by names. */
export function natsFailure(error: unknown): NatsFailure {
  const told = (typeof error === 'object' && error !== null ? error : {}) as Told;
  const { name, code, message } = told;
  const text = typeof message === 'string' ? message : '';
  const api = told.api_error ?? (typeof told.apiError === 'function' ? told.apiError() : undefined);
  if (api !== undefined) {
    if (tooLarge.has(api.err_code)) return 'refused';
    // 4xx: of this message. 5xx and 429: the server is short of something, or the stream is full.
    return api.code === 400 ? 'own' : 'outage';
  }
  if (code === 'MAX_PAYLOAD_EXCEEDED' || (name === 'InvalidArgumentError' && text.includes('max_payload')))
    return 'refused';
  if (code === 'BAD_SUBJECT' || name === 'InvalidSubjectError') return 'refused';
  if (hasPermissionError(told)) return 'denied';
  if (code === '503' || hasNoResponders(told)) return 'no-responders';
  return 'outage';
}

function hasNoResponders({ name, cause }: Told): boolean {
  if (name === 'NoResponders') return true;
  return typeof cause === 'object' && cause !== null && hasNoResponders(cause);
}

function hasPermissionError({ name, code, cause }: Told): boolean {
  if (name === 'PermissionViolationError' || code === 'PERMISSIONS_VIOLATION') return true;
  return typeof cause === 'object' && cause !== null && hasPermissionError(cause);
}
