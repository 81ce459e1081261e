import { shown } from './errors.js';

/*
 * What a handler throws, or a publisher answers for one message, to say more than that it failed. Like OutboxError they
 * are recognised by a `Symbol.for` brand, so that copies of the library (ESM beside CJS, two versions) know each other's.
 */

const permanent = Symbol.for('service-outbox.PermanentError');
const retryAfter = Symbol.for('service-outbox.RetryAfter');
const unavailable = Symbol.for('service-outbox.Unavailable');

/** Longest `RetryAfter`, in milliseconds. */
const mostRetryAfterMs = 604_800_000;

function branded(value: unknown, brand: symbol): boolean {
  try {
    return typeof value === 'object' && value !== null && brand in value;
  } catch {
    // Whatever was thrown, it is none of ours.
    return false;
  }
}

/** This message can never be handled: it becomes a dead letter at once, without further attempts. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';

  constructor(message = 'this message can never be handled', options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, permanent, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(value, permanent);
  }
}

/** The attempt failed, and the next one is made after `delayMs` instead of the usual back-off. It counts as an attempt. */
export class RetryAfter extends Error {
  override readonly name: string = 'RetryAfter';
  /** Milliseconds until the next attempt; 0 to 604,800,000 (a week). */
  readonly delayMs: number;

  /** @throws RangeError when `delayMs` is no number of milliseconds from 0 to 604,800,000 */
  constructor(delayMs: number, message?: string, options?: ErrorOptions) {
    if (!(typeof delayMs === 'number' && delayMs >= 0 && delayMs <= mostRetryAfterMs))
      throw new RangeError(
        `RetryAfter takes the milliseconds to wait, 0 to ${mostRetryAfterMs} (a week): got ${shown(delayMs)}`,
      );
    super(message ?? `retry after ${delayMs} ms`, options);
    this.delayMs = delayMs;
    Object.defineProperty(this, retryAfter, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(value, retryAfter);
  }
}

/**
 * The destination is down: nothing is said of this message. The consumer backs off, holds its checkpoint and spends no
 * attempt until the destination is up again.
 */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable';

  constructor(message = 'the destination is unavailable', options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, unavailable, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(value, unavailable);
  }
}
