import type { Delivered, OutboxMessage } from '../message.js';
import type { PublishContext, PublishResult } from '../publisher.js';
import { asUnavailable } from './as-unavailable.js';
import { BatchOutcome } from './batch-outcome.js';
import { prepareEach, type Prepared } from './publish-in-waves.js';

/** How one destination takes several messages in one request, all or none of them. */
export interface PortionSender<M extends OutboxMessage, R> {
  /** Makes what is sent for a message. What it throws is that message's own failure. */
  readonly prepare: (message: Delivered<M>) => R;
  /** Cuts a batch, in its order, into what goes into one request each. */
  readonly cut: (prepared: readonly Prepared<M, R>[]) => (readonly Prepared<M, R>[])[];
  /** @returns why the destination refuses what was sent, for one message in it; rejects when nothing is known */
  readonly send: (records: readonly R[]) => Promise<Error | undefined>;
}

/**
 * Publishes a batch in requests, one after another, that hold messages in their order, also several of one key: they are taken
 * together or not at all. A request that is refused is halved until the message that it is refused for is alone: that one fails
 * with the reason, later ones of its key are not sent, and the others go on in order.
 *
 * Rejects when nothing of the batch was answered for; what was is told, and the others wait for the destination.
 */
export async function publishInPortions<M extends OutboxMessage, R>(
  messages: readonly Delivered<M>[],
  { signal }: Pick<PublishContext, 'signal'>,
  { prepare, cut, send }: PortionSender<M, R>,
): Promise<PublishResult> {
  const outcome = new BatchOutcome<M>();
  const queue = cut(prepareEach(messages, prepare, outcome));
  let isAnswered = false;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const portion = next.filter(({ message }) => !outcome.isHeld(message));
    const [first] = portion;
    if (first === undefined) continue;
    try {
      // Whatever is sent after that may be sent by another process as well.
      signal.throwIfAborted();
      const refused = await send(portion.map(({ record }) => record));
      if (refused !== undefined && portion.length > 1) {
        const middle = Math.ceil(portion.length / 2);
        queue.unshift(portion.slice(0, middle), portion.slice(middle));
        continue;
      }
      isAnswered = true;
      if (refused !== undefined) outcome.fail(first.message, refused);
    } catch (error) {
      if (!isAnswered) throw error;
      for (const { message } of [...portion, ...queue.flat()]) outcome.fail(message, asUnavailable(error));
      break;
    }
  }
  return outcome.result;
}

/** Cuts into parts of so many, the last one of what is left. */
export function inParts<T>(items: readonly T[], most: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, index) =>
    items.slice(index * most, (index + 1) * most),
  );
}
