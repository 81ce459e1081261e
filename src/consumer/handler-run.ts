import { OutboxError } from '../errors.js';

/** Calls a handler. @returns a signal's controller, and what rejects when the handler fails or takes longer than `timeoutMs` */
export function runHandler(
  call: (signal: AbortSignal) => unknown,
  timeoutMs: number,
): { controller: AbortController; settled: Promise<unknown> } {
  const controller = new AbortController();
  const settled = new Promise<unknown>((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new OutboxError(
        'HANDLER_TIMEOUT',
        `the handler did not settle within ${timeoutMs} ms (handlerTimeoutMs): its attempt counts as failed, and what it still returns is ignored; let it stop when context.signal aborts`,
      );
      controller.abort(error);
      reject(error);
    }, timeoutMs);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      settle();
    };
    // In a turn of its own, so that one that throws at once does so as any other.
    Promise.resolve()
      .then(() => call(controller.signal))
      .then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error)),
      );
  });
  return { controller, settled };
}
