import type { Publisher } from '../../../src/index.js';
import { kafkaPublisher } from '../../../src/kafka.js';
import { Unavailable } from '../../../src/verdict.js';
import { kafkaClient } from '../../support/kafka-topic.js';
import type { Context } from './context.js';
import { seen } from './handlers.js';
import type { FaultMessage } from './messages.js';

/**
 * Publishes to a real Kafka with the library's publisher. What it was given and what was acknowledged is written down here;
 * what Kafka has is read when the round is over.
 */
export function kafkaDestination(
  { history }: Context,
  bootstrap: string,
  topic: string,
): Publisher<FaultMessage> & { close(): Promise<void> } {
  const producer = kafkaClient(bootstrap).producer({ allowAutoTopicCreation: false });
  const publisher = kafkaPublisher<FaultMessage>(producer, { topic });
  let connected: Promise<void> | undefined;
  /** The broker may be down when the process starts. */
  const connect = (): Promise<void> =>
    (connected ??= producer.connect().catch((error: unknown) => {
      connected = undefined;
      throw new Unavailable('no Kafka to connect to', { cause: error });
    }));
  return {
    close: () => producer.disconnect(),
    publish: async (messages, context) => {
      await connect();
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
