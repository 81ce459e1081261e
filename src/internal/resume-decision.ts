import { hasLabel, OutboxError, serverCode } from '../errors.js';

/** `again`: wait a little, check the place in the log and go on; `fail`: end the reader with the error. */
export type ResumeDecision = 'again' | 'fail';

/** Server errors that no later try mends: the process may not read, or the command is not understood. */
const hopeless = new Set([
  13, // Unauthorized
  18, // AuthenticationFailed
  59, // CommandNotFound
  72, // InvalidOptions
  73, // InvalidNamespace
  166, // CommandNotSupportedOnView
]);

/** Errors of the driver that say that the call itself is wrong, or that the service closed the connection for good. */
const hopelessNames = new Set([
  'MongoInvalidArgumentError',
  'MongoAPIError',
  'MongoNotConnectedError',
  'MongoClientClosedError',
  'MongoTopologyClosedError',
  'MongoAuthenticationError',
  'MongoMissingCredentialsError',
]);

/**
 * Whether a reader goes on after an error. A reader by index loses nothing by trying again, so everything is tried again
 * that is not known to be hopeless: network errors, elections, a cursor that died (CappedPositionLost 136 among them).
 */
export function decideResume(error: unknown): ResumeDecision {
  if (error instanceof OutboxError) return error.retryable ? 'again' : 'fail';
  if (hasLabel(error, 'TransientTransactionError') || hasLabel(error, 'RetryableWriteError')) return 'again';
  if (hopelessNames.has((error as Error | undefined)?.name ?? '')) return 'fail';
  return hopeless.has(serverCode(error) ?? -1) ? 'fail' : 'again';
}
