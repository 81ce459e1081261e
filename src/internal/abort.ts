/** Resolves after `ms`, or as soon as one of the signals aborts; never rejects and leaves no listener behind. */
export function pause(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    for (const signal of signals) signal?.addEventListener('abort', end);
    if (signals.some((signal) => signal?.aborted)) end();
  });
}

const sources = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/**
 * Aborts with the first of them. Unlike the result of `AbortSignal.any` alone it keeps them alive: Node collects an
 * `AbortSignal.timeout()` that nobody else holds, and then it never aborts (seen on Node 20.20).
 */
export function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined);
  const any = AbortSignal.any(given);
  sources.set(any, given);
  return any;
}

/** Resolves when the signal aborts. `stop` takes the listener off again. */
export function aborted(signal: AbortSignal): { promise: Promise<void>; stop: () => void } {
  let end = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    end = resolve;
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', end);
  });
  return { promise, stop: () => signal.removeEventListener('abort', end) };
}

/** What `abandonable` gives when the signal was first. */
export const abandoned: unique symbol = Symbol('abandoned');

/**
 * The outcome of `work`, or `abandoned` once the signal aborts. The work itself goes on, its late error is dropped: a
 * command to a server that does not answer can't be called back.
 */
export async function abandonable<T>(work: Promise<T>, signal: AbortSignal): Promise<T | typeof abandoned> {
  work.catch(() => undefined);
  const abort = aborted(signal);
  try {
    return await Promise.race([work, abort.promise.then((): typeof abandoned => abandoned)]);
  } finally {
    abort.stop();
  }
}
