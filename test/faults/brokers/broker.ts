import type { Broker } from '../../../dev/brokers/start-broker.js';
import type { ServerNode } from '../../../dev/server-process.js';
import type { Publisher } from '../../../src/index.js';
import type { ReceivedMessage } from '../../../src/testing.js';
import type { TopicRecord } from '../check/check-topic.js';
import type { FaultMessage } from '../processes/messages.js';

export type BrokerName = 'kafka' | 'rabbitmq' | 'nats' | 'redis';

/** Where a relay publishes. */
export interface Place {
  readonly broker: BrokerName;
  readonly url: string;
  /** The topic, queue, subject or stream. */
  readonly topic: string;
}

/** A real broker with a topic that is empty at first. */
export interface RoundBroker {
  readonly node: ServerNode;
  readonly place: Place;
  /** All that the topic holds, in its order; of several partitions one after the other. */
  records(): Promise<TopicRecord[]>;
  stop(): Promise<void>;
}

/** The library's publisher, before a client that is connected. */
export interface Connected {
  readonly publisher: Publisher<FaultMessage>;
  close(): Promise<unknown>;
}

/** How the rounds use one kind of broker. */
export interface BrokerKind {
  /** For people: "Kafka". */
  readonly title: string;
  /** Rejects where there is no such server here. */
  resolve(): Promise<unknown>;
  start(): Promise<RoundBroker>;
  /** Rejects while the broker is down. */
  connect(place: Place): Promise<Connected>;
}

/** A broker that has one topic, in one order, which `read` reads. */
export function roundBroker(
  broker: BrokerName,
  { node, url, stop }: Broker,
  topic: string,
  read: (url: string, topic: string) => Promise<readonly ReceivedMessage[]>,
): RoundBroker {
  return {
    node,
    place: { broker, url, topic },
    records: async () =>
      (await read(url, topic)).map(({ position, key }) => ({ position: Number(position), key: key ?? null })),
    stop,
  };
}
