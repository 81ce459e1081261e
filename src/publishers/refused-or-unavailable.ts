import { Unavailable } from '../verdict.js';

import type { Refused } from './publish-in-waves.js';
import type { OutboxMessage } from '../message.js';

/**
 * What `send` of a wave gives back: the messages that were refused.
 *
 * @throws Unavailable where nothing of the wave is stored and no message is to blame: the whole batch waits then
 */
export function refusedOrUnavailable<M extends OutboxMessage>(size: number, refused: Refused<M>): Refused<M> {
  const [first, ...others] = refused.values();
  if (refused.size === size && first instanceof Unavailable && others.every((error) => error instanceof Unavailable))
    throw first;
  return refused;
}
