import { Unavailable } from '../verdict.js';

/** For how long something is waited for. */
export interface Patience {
  /** Milliseconds without a sign of life. */
  readonly ms: number;
  readonly signal: AbortSignal;
  /** For people: "RabbitMQ has confirmed nothing". */
  readonly what: string;
}

/**
 * Waits for an answer. It may still come after that time: what was asked for is then done or not, nobody knows.
 *
 * @param work gets a function that begins the time anew, for when something else came back
 * @throws Unavailable after the time; the signal's reason when it aborts
 */
export async function within<T>(
  { ms, signal, what }: Patience,
  work: (signOfLife: () => void) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  let giveUp!: (error: unknown) => void;
  const givenUp = new Promise<never>((_, reject) => (giveUp = reject));
  const onAbort = (): void => giveUp(signal.reason);
  const start = (): NodeJS.Timeout => setTimeout(() => giveUp(new Unavailable(`${what} for ${ms} ms`)), ms);
  let timer = start();
  const signOfLife = (): void => {
    clearTimeout(timer);
    timer = start();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(signOfLife), givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
