import { Unavailable } from '../verdict.js';

/** Says of a message that it waits for the destination, whatever the destination's own error was: it says nothing of this message. */
export function asUnavailable(error: unknown): Unavailable {
  return error instanceof Unavailable
    ? error
    : new Unavailable('the destination failed in the middle of a batch', { cause: error });
}
