import type { Publisher } from '../../../src/index.js';
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
      const failed = new Set((result?.failed ?? []).map(({ position }) => position));
      const positions = messages.map(({ position }) => position).filter((position) => !failed.has(position));
      if (positions.length > 0)
        history.write({ kind: 'handled', consumer, epoch, outcome: signal.aborted ? 'abandoned' : 'ok', positions });
      return result;
    },
  };
}
