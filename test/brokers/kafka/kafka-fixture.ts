import type { ITopicConfig } from 'kafkajs';

import type { KafkaBroker } from '../../../dev/brokers/kafka.js';
import type { ReceivedMessage } from '../../../src/testing.js';
import type { BrokerFixture } from '../relay-faults.js';
import type { Connect } from './clients.js';
import { KafkaTopic, type StoredRecord } from '../../support/kafka-topic.js';

const ours = ['id', 'type', 'position', 'created'];

export type KafkaFixture = BrokerFixture & { readonly topic: KafkaTopic };

/**
 * A publisher over a client of its own, before a new topic of three partitions.
 *
 * @param broker `node` is what `down` and `up` of the fixture harm; of a cluster, `bootstrap` names all
 */
export async function openKafkaFixture(
  broker: Pick<KafkaBroker, 'bootstrap' | 'node'>,
  connect: Connect,
  config: Partial<ITopicConfig> = {},
): Promise<KafkaFixture> {
  const topic = new KafkaTopic(broker.bootstrap);
  await topic.create(config);
  const { publisher, clientWorks, close } = await connect(broker.bootstrap, { topic: topic.name });
  return {
    topic,
    publisher,
    node: broker.node,
    received: async () => (await topic.records()).map(received),
    refused: { data: { text: 'x'.repeat(2_000_000) } },
    down: () => broker.node.kill9(),
    up: () => broker.node.restart(),
    clientWorks: () => clientWorks(topic.name),
    close,
  };
}

function received({ key, value, headers }: StoredRecord): ReceivedMessage {
  const { id = '', type = '', position } = headers;
  const own = Object.entries(headers).filter(([name]) => !ours.includes(name));
  return {
    id,
    type,
    position: Number(position),
    // A message without a key has its id there.
    key: key === id ? undefined : (key ?? undefined),
    data: JSON.parse(value ?? 'null') as unknown,
    headers: Object.fromEntries(own),
  };
}
