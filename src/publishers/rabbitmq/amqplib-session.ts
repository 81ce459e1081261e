import type { AmqpMessage, AmqpProperties } from './amqp-message.js';
import { findReturned, tooLargeHeaders, type AmqpClosed, type AmqpResult, type AmqpSession } from './amqp-session.js';

/** A `ConfirmChannel` of amqplib 0.10, 1 or 2: `await connection.createConfirmChannel()`. */
export interface AmqplibConfirmChannel {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: AmqpProperties,
    callback: (error: unknown) => void,
  ): boolean;
  /** A channel without confirms has none. */
  waitForConfirms(): Promise<void>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

export function isAmqplibConfirmChannel(client: object): client is AmqplibConfirmChannel {
  const { publish, waitForConfirms, on } = client as Partial<AmqplibConfirmChannel>;
  return [publish, waitForConfirms, on].every((method) => typeof method === 'function');
}

type Emitter = Pick<AmqplibConfirmChannel, 'on' | 'removeListener'>;
/** It encodes headers in a buffer of 64 KiB; some versions cut off what is beyond. */
const mostHeaderBytes = 65_536;

interface Return {
  readonly fields: { readonly exchange: string; readonly routingKey: string; readonly replyText: string };
  readonly properties: { readonly headers?: Record<string, unknown> };
}

export class AmqplibSession implements AmqpSession {
  readonly #channel: AmqplibConfirmChannel;
  readonly #release: () => void;
  readonly #frameBytes: number;
  /** Ends each wait when the channel goes away; also that for room in the write buffer. */
  readonly #whenClosed = new Set<() => void>();
  #closed: AmqpClosed | undefined;
  #lastError: unknown;
  #onReturn: (returned: Return) => void = () => undefined;

  constructor(channel: AmqplibConfirmChannel) {
    this.#channel = channel;
    const releases = [
      listen(channel, 'error', (error: unknown) => (this.#lastError = error)),
      listen(channel, 'close', () => this.#close({ text: 'the channel was closed', cause: this.#lastError })),
      listen(channel, 'return', (returned: Return) => this.#onReturn(returned)),
    ];
    const { connection } = channel as { connection?: Partial<Emitter> & { frameMax?: number } };
    this.#frameBytes = Math.min(connection?.frameMax ?? mostHeaderBytes, mostHeaderBytes);
    this.#release = () => releases.forEach((release) => release());
    if (typeof connection?.on !== 'function') return;
    const emitter = connection as Emitter;
    const reason = blockedNow(emitter).reason;
    releases.push(listen(emitter, 'blocked', (text: string) => this.#close(blocked(text))));
    if (reason !== undefined) this.#close(blocked(reason));
  }

  get closed(): AmqpClosed | undefined {
    return this.#closed;
  }

  async send(messages: readonly AmqpMessage[], signOfLife: () => void): Promise<readonly AmqpResult[]> {
    const returned = new Map<number, string>();
    this.#onReturn = ({ fields, properties: { headers } }) => {
      const index = findReturned(messages, { ...fields, headers }, (each) => returned.has(each));
      returned.set(index, fields.replyText);
    };
    const results: Promise<AmqpResult>[] = [];
    for (const message of messages) {
      const { result, hasRoom } = this.#send(message);
      results.push(result.finally(signOfLife));
      if (!hasRoom) await this.#drained();
    }
    return (await Promise.all(results)).map((result, index) => {
      const text = returned.get(index);
      return result.kind === 'confirmed' && text !== undefined ? { kind: 'returned', text } : result;
    });
  }

  end(): void {
    this.#release();
    this.#close({ text: 'the batch is over' });
  }

  #send(message: AmqpMessage): { result: Promise<AmqpResult>; hasRoom: boolean } {
    if (this.#closed) return { result: Promise.resolve({ kind: 'unknown' }), hasRoom: true };
    const tooLarge = tooLargeHeaders(message, this.#frameBytes);
    if (tooLarge) return { result: Promise.resolve(tooLarge), hasRoom: true };
    const { exchange, routingKey, content, properties } = message;
    let hasRoom = true;
    const result = new Promise<AmqpResult>((resolve) => {
      const onClosed = (): void => resolve({ kind: 'unknown' });
      this.#whenClosed.add(onClosed);
      try {
        hasRoom = this.#channel.publish(exchange, routingKey, content, properties, (error) => {
          this.#whenClosed.delete(onClosed);
          if (!error) return resolve({ kind: 'confirmed' });
          // A closing channel calls back with an error too, and so does a negative confirm.
          resolve({ kind: isNack(error) ? 'nacked' : 'unknown' });
        });
      } catch (error) {
        this.#whenClosed.delete(onClosed);
        if ((error as Error).name !== 'IllegalOperationError') return resolve({ kind: 'refused', error });
        this.#close({ text: 'the channel is closed', cause: error });
        resolve({ kind: 'unknown' });
      }
    });
    return { result, hasRoom };
  }

  /** What is written beyond a full buffer is kept in memory. */
  async #drained(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const release = listen(this.#channel, 'drain', () => done());
      const done = (): void => {
        release();
        this.#whenClosed.delete(done);
        resolve();
      };
      this.#whenClosed.add(done);
    });
  }

  #close(why: AmqpClosed): void {
    this.#closed ??= why;
    for (const end of [...this.#whenClosed]) end();
    this.#whenClosed.clear();
  }
}

function isNack(error: unknown): boolean {
  return error instanceof Error && error.message === 'message nacked';
}

function blocked(reason: string): AmqpClosed {
  return { text: `the server has blocked the connection: ${reason}` };
}

/** Why the server has blocked a connection, while it has. */
interface BlockedNow {
  reason: string | undefined;
}
const blockedConnections = new WeakMap<Emitter, BlockedNow>();

/**
 * amqplib before 2 tells it once, by an event. Each batch that was sent after that would stand in the socket, and come as a repeat
 * when the server goes on; so each connection keeps these two listeners for its whole life.
 */
function blockedNow(connection: Emitter): BlockedNow {
  const known = blockedConnections.get(connection);
  if (known !== undefined) return known;
  const now: BlockedNow = { reason: (connection as { blocked?: unknown }).blocked === true ? 'earlier' : undefined };
  listen(connection, 'blocked', (reason: string) => (now.reason = reason));
  listen(connection, 'unblocked', () => (now.reason = undefined));
  blockedConnections.set(connection, now);
  return now;
}

function listen<T>(emitter: Emitter, event: string, listener: (value: T) => void): () => void {
  const untyped = listener as (...args: unknown[]) => void;
  emitter.on(event, untyped);
  return () => void emitter.removeListener(event, untyped);
}
