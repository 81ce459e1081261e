import type { OutboxMessage, Publisher } from 'service-outbox';

/** One message as it is found in the broker. */
export interface BrokerRecord {
  readonly id: string;
  readonly position: number;
  /** Wall clock, in milliseconds. */
  readonly publishedAt: number;
}

/** Where a topic is, so that another process can open it. */
export type TopicAddress =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'kafka'; readonly brokers: readonly string[]; readonly topic: string };

/** A topic of this run alone. */
export interface Topic {
  readonly address: TopicAddress;
  /** Where it is, for people. */
  readonly place: string;
  create(): Promise<void>;
  /** Everything that is in it, in its order. */
  read(): Promise<BrokerRecord[]>;
  /** Also of one whose creation failed or is under way. */
  remove(): Promise<void>;
}

/** What the relay has of a topic: a publisher that resolves when the broker has the messages, in this order, for good. */
export interface TopicWriter extends Publisher<OutboxMessage> {
  close(): Promise<void>;
}
