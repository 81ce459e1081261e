import { setImmediate } from 'node:timers/promises';

import type { AmqpMessage, AmqpProperties } from './amqp-message.js';
import { findReturned, tooLargeHeaders, type AmqpClosed, type AmqpResult, type AmqpSession } from './amqp-session.js';

/** A `Connection` of rabbitmq-client 5: `new Connection(url)`. It connects again by itself. */
export interface RabbitmqClientConnection {
  /** Whether it is connected, and not blocked by the server. */
  readonly ready: boolean;
  acquire(options: { emitErrorsFromChannel: boolean }): Promise<RabbitmqClientChannel>;
  on(event: 'connection.blocked', listener: (reason: string) => void): unknown;
  removeListener(event: 'connection.blocked', listener: (reason: string) => void): unknown;
}

/** Its channel. */
interface RabbitmqClientChannel {
  confirmSelect(): Promise<void>;
  basicPublish(envelope: RabbitmqClientEnvelope, body: Buffer): Promise<void>;
  close(): Promise<void>;
  on(event: 'basic.return', listener: (returned: RabbitmqClientReturn) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}
interface RabbitmqClientEnvelope extends AmqpProperties {
  readonly exchange: string;
  readonly routingKey: string;
  readonly durable: true;
}
interface RabbitmqClientReturn {
  readonly exchange: string;
  readonly routingKey: string;
  readonly replyText: string;
  readonly headers?: Record<string, unknown>;
}

export function isRabbitmqClientConnection(client: object): client is RabbitmqClientConnection {
  const { acquire, on } = client as Partial<RabbitmqClientConnection>;
  return typeof acquire === 'function' && typeof on === 'function' && 'ready' in client;
}

/** A channel of its own for each batch: the connection's `close` waits for channels that are left open. */
export async function openRabbitmqClientSession(connection: RabbitmqClientConnection): Promise<AmqpSession> {
  // Asked for a channel it would wait until it is connected.
  if (!connection.ready) return closedSession({ text: 'the connection is not ready: down, or blocked by the server' });
  const channel = await connection.acquire({ emitErrorsFromChannel: true });
  const session = new RabbitmqClientSession(connection, channel);
  try {
    await channel.confirmSelect();
  } catch (error) {
    session.end();
    throw error;
  }
  return session;
}

function closedSession(closed: AmqpClosed): AmqpSession {
  return {
    closed,
    send: (messages) => Promise.resolve(messages.map(() => ({ kind: 'unknown' }))),
    end: () => undefined,
  };
}

class RabbitmqClientSession implements AmqpSession {
  readonly #connection: RabbitmqClientConnection;
  readonly #channel: RabbitmqClientChannel;
  readonly #onBlocked = (reason: string): void =>
    this.#close({ text: `the server has blocked the connection: ${reason}` });
  readonly #frameBytes: number;
  readonly #whenClosed: Promise<void>;
  #endWaits!: () => void;
  #closed: AmqpClosed | undefined;
  #onReturn: (returned: RabbitmqClientReturn) => void = () => undefined;

  constructor(connection: RabbitmqClientConnection, channel: RabbitmqClientChannel) {
    this.#connection = connection;
    this.#channel = channel;
    // It tells nobody what was agreed upon; its own default is the least that RabbitMQ 4 takes.
    const { _state } = connection as { _state?: { frameMax?: number } };
    this.#frameBytes = _state?.frameMax ?? 8_192;
    this.#whenClosed = new Promise((resolve) => (this.#endWaits = resolve));
    channel.on('basic.return', (returned) => this.#onReturn(returned));
    channel.on('error', (error) => this.#close({ text: 'the channel was closed', cause: error }));
    channel.on('close', () => this.#close({ text: 'the channel was closed' }));
    connection.on('connection.blocked', this.#onBlocked);
  }

  get closed(): AmqpClosed | undefined {
    return this.#closed;
  }

  async send(messages: readonly AmqpMessage[], signOfLife: () => void): Promise<readonly AmqpResult[]> {
    const returned = new Map<number, string>();
    this.#onReturn = ({ replyText, ...rest }) => {
      const index = findReturned(messages, { replyText, headers: undefined, ...rest }, (each) => returned.has(each));
      returned.set(index, replyText);
    };
    const unknown: AmqpResult = { kind: 'unknown' };
    const results = await Promise.all(
      messages.map((message) =>
        Promise.race([this.#send(message).finally(signOfLife), this.#whenClosed.then(() => unknown)]),
      ),
    );
    // The client tells of a returned message in a later turn than of its confirm.
    await setImmediate();
    return results.map((result, index) => {
      const text = returned.get(index);
      return result.kind === 'confirmed' && text !== undefined ? { kind: 'returned', text } : result;
    });
  }

  end(): void {
    this.#connection.removeListener('connection.blocked', this.#onBlocked);
    // It never rejects; while the server hangs it waits as well.
    void this.#channel.close();
  }

  async #send(message: AmqpMessage): Promise<AmqpResult> {
    if (this.#closed) return { kind: 'unknown' };
    // It would go on waiting for all others of the channel.
    const tooLarge = tooLargeHeaders(message, this.#frameBytes);
    if (tooLarge) return tooLarge;
    const { exchange, routingKey, content, properties } = message;
    try {
      await this.#channel.basicPublish({ ...properties, exchange, routingKey, durable: true }, content);
      return { kind: 'confirmed' };
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'NACK') return { kind: 'nacked' };
      // What it can't encode; the channel is closed by that as well.
      if (error instanceof RangeError || error instanceof TypeError) return { kind: 'refused', error };
      this.#close({ text: 'the channel was closed', cause: error });
      return { kind: 'unknown' };
    }
  }

  #close(why: AmqpClosed): void {
    // The reason may come after the fact: of several errors, one with a code of the server says most.
    if (this.#closed?.cause === undefined) this.#closed = why;
    this.#endWaits();
  }
}
