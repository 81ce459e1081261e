import type { RetryOptions } from '../handler.js';
import { PermanentError, RetryAfter } from '../verdict.js';

/** What becomes of a message that failed by itself. */
export type AfterFailure = { state: 'retrying'; delayMs: number } | { state: 'dead' };

/**
 * @param attempts how many attempts have been made, the failed one included
 */
export function afterFailure(
  attempts: number,
  error: unknown,
  retry: Required<RetryOptions>,
  random: () => number = Math.random,
): AfterFailure {
  if (error instanceof PermanentError || attempts >= retry.maxAttempts) return { state: 'dead' };
  if (error instanceof RetryAfter) return { state: 'retrying', delayMs: error.delayMs };
  return { state: 'retrying', delayMs: retryDelayMs(attempts, retry, random) };
}

/** The delay before the attempt after the `attempts`-th: exponential, the part `jitter` of it random. */
export function retryDelayMs(attempts: number, retry: Required<RetryOptions>, random: () => number): number {
  const full = Math.min(retry.maxDelayMs, retry.initialDelayMs * retry.factor ** Math.min(attempts - 1, 1_000));
  return Math.ceil(full * (1 - retry.jitter * random()));
}

/** Longest time, in milliseconds, between two probes of a destination that is down. */
const mostProbeMs = 30_000;

/** The delay before the next probe of an outage; `refused` probes in a row have failed. */
export function probeDelayMs(
  refused: number,
  retry: Required<RetryOptions>,
  random: () => number = Math.random,
): number {
  return retryDelayMs(refused + 1, { ...retry, maxDelayMs: Math.min(retry.maxDelayMs, mostProbeMs) }, random);
}
