import { OutboxError, shown } from '../../errors.js';

/** A JetStream client: `jetstream(connection)` of @nats-io/jetstream 3, or `connection.jetstream()` of nats 2. */
export interface NatsJetStreamClient {
  publish(subject: string, payload: Uint8Array, options?: NatsPublishOptions): Promise<NatsAcknowledgement>;
  jetstreamManager(checkApi?: boolean): Promise<NatsJetStreamManager>;
}

/** What is given to `publish`. */
interface NatsPublishOptions {
  readonly msgID?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  /** An object with the methods that the clients ask of their own headers. */
  readonly headers?: unknown;
}

interface NatsAcknowledgement {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate: boolean;
}

/** What is asked of it: whether a stream takes a subject. */
interface NatsJetStreamManager {
  readonly streams: { find(subject: string): Promise<string> };
}

/** @throws `INVALID_OPTION` */
export function checkNatsClient(client: unknown): asserts client is NatsJetStreamClient {
  const { publish, jetstreamManager } = (client ?? {}) as Partial<NatsJetStreamClient>;
  if (typeof publish === 'function' && typeof jetstreamManager === 'function') return;
  throw new OutboxError(
    'INVALID_OPTION',
    'natsPublisher takes a JetStream client: jetstream(connection) of @nats-io/jetstream, or connection.jetstream() of nats: ' +
      `got ${shown(client)}`,
  );
}
