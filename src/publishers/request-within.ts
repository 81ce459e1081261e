import { Unavailable } from '../verdict.js';

/**
 * Runs a request and ends it with `signal`, or once it takes longer than `ms`.
 * @throws the signal's reason; Unavailable, naming who did not answer, when the time is over; what the request throws
 */
export async function requestWithin<T>(
  ms: number,
  signal: AbortSignal,
  who: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const end = new AbortController();
  const abort = () => end.abort(signal.reason);
  signal.addEventListener('abort', abort);
  const timer = setTimeout(() => end.abort(new Unavailable(`${who} did not answer within ${ms} ms`)), ms);
  try {
    return await run(end.signal);
  } catch (error) {
    if (end.signal.aborted) throw end.signal.reason;
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
