import type { Delivered, Publisher } from '../../../src/index.js';
import { Unavailable } from '../../../src/verdict.js';
import type { Connected, Place } from '../brokers/broker.js';
import { BROKERS } from '../brokers/brokers.js';
import type { Context } from './context.js';
import { seen } from './handlers.js';
import type { FaultMessage } from './messages.js';

/**
 * Publishes to a real broker with the library's publisher. What it was given and what was acknowledged is written down here;
 * what the broker has is read when the round is over.
 */
export function brokerDestination(
  { history }: Context,
  place: Place,
): Publisher<FaultMessage> & { close(): Promise<void> } {
  let connected: Promise<Connected> | undefined;
  /** The broker may be down when the process starts. */
  const connect = (): Promise<Connected> =>
    (connected ??= BROKERS[place.broker].connect(place).catch((error: unknown) => {
      connected = undefined;
      throw new Unavailable('no broker to connect to', { cause: error });
    }));
  return {
    close: async () => {
      await (await connected?.catch(() => undefined))?.close();
    },
    publish: async (messages, context) => {
      const { publisher } = await connect();
      const { consumer, epoch, signal } = context;
      history.write({ kind: 'delivery', consumer, epoch, entries: messages.map(seen) });
      const result = await publisher.publish(messages, context);
      const positions = taken(messages, new Set((result?.failed ?? []).map(({ position }) => position)));
      if (positions.length > 0)
        history.write({ kind: 'handled', consumer, epoch, outcome: signal.aborted ? 'abandoned' : 'ok', positions });
      return result;
    },
  };
}

/** What the broker has: neither what failed, nor what was not sent since a message of its key before it had failed. */
function taken(messages: readonly Delivered<FaultMessage>[], failed: ReadonlySet<number>): number[] {
  const held = new Set<string>();
  const positions: number[] = [];
  for (const { position, key } of messages) {
    const isHeld = key !== undefined && held.has(key);
    if (!failed.has(position) && !isHeld) positions.push(position);
    else if (key !== undefined) held.add(key);
  }
  return positions;
}
