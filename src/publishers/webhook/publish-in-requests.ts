import type { Delivered, OutboxMessage } from '../../message.js';
import type { PublishContext, PublishResult } from '../../publisher.js';
import { BatchOutcome } from '../batch-outcome.js';
import { prepareEach, type Prepared } from '../publish-in-waves.js';

/** How one destination takes several messages at once, all or none of them. */
export interface RequestSender<M extends OutboxMessage, R> {
  /** Makes what is sent for a message. What it throws is that message's own failure. */
  readonly prepare: (message: Delivered<M>) => R;
  /** @returns why the destination refuses what was sent, if it does; rejects when nothing is known */
  readonly send: (records: readonly R[]) => Promise<Error | undefined>;
  readonly mostPerRequest: number;
}

/**
 * Publishes a batch in requests that hold messages in their order, also several of one key: they are taken together or not
 * at all. A request that is refused is halved until the message that it is refused for is alone.
 *
 * Rejects when nothing of the batch was answered for.
 */
export async function publishInRequests<M extends OutboxMessage, R>(
  messages: readonly Delivered<M>[],
  { signal }: Pick<PublishContext, 'signal'>,
  { prepare, send, mostPerRequest }: RequestSender<M, R>,
): Promise<PublishResult> {
  const outcome = new BatchOutcome<M>();
  const stack: Prepared<M, R>[][] = chunks(prepareEach(messages, prepare, outcome), mostPerRequest).reverse();
  let answered = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const request = next.filter(({ message }) => !outcome.isHeld(message));
    if (request.length === 0) continue;
    try {
      signal.throwIfAborted();
      const refused = await send(request.map(({ record }) => record));
      if (refused !== undefined && request.length > 1) {
        stack.push(...chunks(request, Math.ceil(request.length / 2)).reverse());
        continue;
      }
      answered += request.length;
      if (refused !== undefined) outcome.fail(request[0]!.message, refused);
    } catch (error) {
      if (answered === 0) throw error;
      for (const { message } of [...request, ...stack.reverse().flat()]) outcome.fail(message, error);
      break;
    }
  }
  return outcome.result;
}

function chunks<T>(items: readonly T[], most: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, index) =>
    items.slice(index * most, (index + 1) * most),
  );
}
