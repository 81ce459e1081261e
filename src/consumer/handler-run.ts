import { OutboxError } from '../errors.js';

/** Calls a handler. @returns its signal's controller, and what rejects when the handler fails or takes longer than `timeoutMs` */
export function runHandler(
  call: (signal: AbortSignal) => unknown,
  timeoutMs: number,
): { controller: AbortController; settled: Promise<unknown> } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new OutboxError(
        'HANDLER_TIMEOUT',
        `the handler did not settle within ${timeoutMs} ms (handlerTimeoutMs): its attempt counts as failed, and what it still returns is ignored; let it stop when context.signal aborts`,
      );
      controller.abort(error);
      reject(error);
    }, timeoutMs);
  });
  // In a turn of its own, so that one that throws at once does so as any other.
  const called = Promise.resolve().then(() => call(controller.signal));
  return { controller, settled: Promise.race([called, timeout]).finally(() => clearTimeout(timer)) };
}
