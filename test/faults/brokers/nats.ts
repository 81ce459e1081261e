import { jetstreamManager } from '@nats-io/jetstream';

import { natsServer, startNats } from '../../../dev/brokers/nats.js';
import { resolveServer } from '../../../dev/brokers/server-binary.js';
import { natsPublisher } from '../../../src/nats.js';
import { natsClients, onConnection, readStream } from '../../brokers/nats/clients.js';
import { roundBroker, type BrokerKind } from './broker.js';

const topic = 'orders';

export const nats: BrokerKind = {
  title: 'NATS',
  resolve: () => resolveServer(natsServer),
  start: async () => {
    const broker = await startNats();
    await onConnection(broker.url, async (connection) => {
      const { streams } = await jetstreamManager(connection);
      await streams.add({ name: topic, subjects: [topic] });
    });
    return roundBroker('nats', broker, topic, readStream);
  },
  connect: async ({ url, topic: subject }) => {
    const { jetstream, close } = await natsClients['@nats-io/jetstream 3']!(url);
    // Some messages of a round have the id of another one, which the server would drop.
    const messageId = ({ position }: { position: number }): string => String(position);
    return { publisher: natsPublisher(jetstream, { subject, messageId, ackTimeoutMs: 2_000 }), close };
  },
};
