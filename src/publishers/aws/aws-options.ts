import { checkKnown, checkWholeNumbers, defined } from '../../internal/check-options.js';

/** Options that SQS, SNS and EventBridge share. */
export interface AwsOptions {
  /**
   * Most bytes of one request, and so of one message, as the service counts them; 1,024 to 1,048,576. A larger message is a
   * permanent failure.
   * @defaultValue SQS 1,048,576 (the service's limit); SNS and EventBridge 262,144
   */
  readonly maxBatchBytes?: number;
  /** Most requests at once. Of each key at most one message is under way. 1 to 100. @defaultValue 4 */
  readonly concurrency?: number;
  /** Longest time for one request, the SDK's own retries included, in milliseconds. 100 to 600,000. @defaultValue 30,000 */
  readonly timeoutMs?: number;
}

/** @throws `INVALID_OPTION` */
export function resolveAwsOptions(
  given: AwsOptions,
  known: readonly string[],
  maxBatchBytes: number,
): Required<AwsOptions> {
  checkKnown(given, [...known, 'maxBatchBytes', 'concurrency', 'timeoutMs']);
  checkWholeNumbers(given, { maxBatchBytes: [1_024, 1_048_576], concurrency: [1, 100], timeoutMs: [100, 600_000] });
  return { maxBatchBytes, concurrency: 4, timeoutMs: 30_000, ...defined(given) };
}
