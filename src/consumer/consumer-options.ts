import { checkCursor } from '../internal/check-cursor.js';
import {
  checkBoolean,
  checkKnown,
  checkNumbers,
  checkSignal,
  checkTypes,
  checkWholeNumbers,
  checkWord,
  defined,
  invalidOption,
  type NumberLimits,
} from '../internal/check-options.js';
import type { DrainOptions, RetryOptions } from '../handler.js';
import type { Cursor } from '../message.js';

/** Which call the options were given to. */
export type ConsumerKind = 'consume' | 'relay' | 'drain';

/** The options of a consumer or relay with every default filled in. */
export interface ResolvedConsumerOptions {
  from: Cursor;
  types: ReadonlySet<string> | undefined;
  order: 'key' | 'strict';
  concurrency: number;
  batchSize: number;
  handlerTimeoutMs: number;
  transactional: boolean;
  retry: Required<RetryOptions>;
  onDeadLetter: 'continue' | 'block';
  signal: AbortSignal | undefined;
  maxMessages: number | undefined;
  deadlineMs: number | undefined;
  ifHeld: 'return' | 'wait';
}

const defaultRetry: Required<RetryOptions> = {
  maxAttempts: 10,
  initialDelayMs: 1_000,
  maxDelayMs: 300_000,
  factor: 2,
  jitter: 0.5,
};

const day = 86_400_000;
/** Node's timers take no more. */
const longestTimerMs = 2 ** 31 - 1;
const wholeNumberLimits = {
  concurrency: [1, 1_000],
  batchSize: [1, 10_000],
  handlerTimeoutMs: [1, day],
  maxMessages: [1, Number.MAX_SAFE_INTEGER],
  deadlineMs: [1, longestTimerMs],
} as const satisfies NumberLimits;
const retryWholeNumbers = {
  maxAttempts: [1, 1_000],
  initialDelayMs: [1, day],
  maxDelayMs: [1, 7 * day],
} as const satisfies NumberLimits;
const retryNumbers = { factor: [1, 100], jitter: [0, 1] } as const satisfies NumberLimits;

const relayNames = ['from', 'types', 'order', 'batchSize', 'retry', 'onDeadLetter', 'signal'];
const consumeNames = [...relayNames, 'concurrency', 'handlerTimeoutMs', 'transactional'];
const drainNames = ['maxMessages', 'deadlineMs', 'ifHeld'];

/**
 * Fills in the defaults and refuses what is unknown, out of its limits or contradictory.
 *
 * @param publishes whether it is a publisher that is run, which takes neither concurrency nor transactions
 * @throws `INVALID_OPTION`, `INVALID_CURSOR`, `UNKNOWN_TYPE`
 */
export function resolveConsumerOptions(
  kind: ConsumerKind,
  publishes: boolean,
  given: DrainOptions,
  types: readonly string[],
): ResolvedConsumerOptions {
  checkKnown(given, [...(publishes ? relayNames : consumeNames), ...(kind === 'drain' ? drainNames : [])]);
  checkWholeNumbers(given, wholeNumberLimits);
  checkWord('order', given.order, ['key', 'strict']);
  checkWord('onDeadLetter', given.onDeadLetter, ['continue', 'block']);
  checkWord('ifHeld', given.ifHeld, ['return', 'wait']);
  checkBoolean('transactional', given.transactional);
  checkSignal(given.signal);
  const from = given.from === undefined ? 'beginning' : given.from;
  checkCursor(from);
  const order = given.order ?? 'key';
  const transactional = given.transactional ?? false;
  const concurrency = given.concurrency ?? 1;
  if (concurrency > 1 && transactional)
    throw invalidOption('concurrency', 'must be 1 with transactional: true', `got ${concurrency}`);
  if (concurrency > 1 && order === 'strict')
    throw invalidOption('concurrency', 'must be 1 with order: "strict"', `got ${concurrency}`);
  return {
    from,
    types: checkTypes(given.types, types),
    order,
    concurrency,
    batchSize: given.batchSize ?? (publishes ? 1_000 : Math.max(100, concurrency)),
    handlerTimeoutMs: given.handlerTimeoutMs ?? 30_000,
    transactional,
    retry: resolveRetry(given.retry),
    onDeadLetter: given.onDeadLetter ?? 'continue',
    signal: given.signal,
    maxMessages: given.maxMessages,
    deadlineMs: given.deadlineMs,
    ifHeld: given.ifHeld ?? 'return',
  };
}

function resolveRetry(given: RetryOptions = {}): Required<RetryOptions> {
  checkKnown(given, Object.keys(defaultRetry), 'retry.');
  checkWholeNumbers(given, retryWholeNumbers, 'retry.');
  checkNumbers(given, retryNumbers, 'retry.');
  const set = defined(given);
  const retry = { ...defaultRetry, ...set };
  if (retry.maxDelayMs < retry.initialDelayMs) {
    if (set.maxDelayMs !== undefined)
      throw invalidOption(
        'retry.maxDelayMs',
        `must not be less than retry.initialDelayMs (${retry.initialDelayMs})`,
        `got ${retry.maxDelayMs}`,
      );
    retry.maxDelayMs = retry.initialDelayMs;
  }
  return retry;
}
