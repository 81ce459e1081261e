import { PermanentError } from '../../verdict.js';

import { propertyBytes, type AmqpMessage } from './amqp-message.js';

/** What became of one message on the wire. */
export type AmqpResult =
  | { readonly kind: 'confirmed' }
  /** It reached no queue: confirmed, and gone. */
  | { readonly kind: 'returned'; readonly text: string }
  /** The server could not take it: a queue that is full and rejects, or one that fails. */
  | { readonly kind: 'nacked' }
  /** The client can't encode it. */
  | { readonly kind: 'refused'; readonly error: unknown }
  /** The channel went away before the confirm; the message may be stored. */
  | { readonly kind: 'unknown' };

/** A channel in confirm mode while a batch is published, whichever client it is of. */
export interface AmqpSession {
  /** Sends all of them, with back-pressure, and waits for every confirm. Never rejects. */
  send(messages: readonly AmqpMessage[], signOfLife: () => void): Promise<readonly AmqpResult[]>;
  /** Why nothing more can be sent here; undefined while the channel is open. */
  readonly closed: AmqpClosed | undefined;
  /** Takes away what was added to the user's client. */
  end(): void;
}

/** Why a channel can't be used. */
export interface AmqpClosed {
  /** For people. */
  readonly text: string;
  readonly cause?: unknown;
}

/** What both clients tell of a message that reached no queue. */
export interface ReturnedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly replyText: string;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
}

/** Which message was returned: other publishers may send on the same channel. The first of two equal ones. */
export function findReturned(
  messages: readonly AmqpMessage[],
  { exchange, routingKey, headers }: ReturnedMessage,
  isTaken: (index: number) => boolean,
): number {
  return messages.findIndex(
    (message, index) =>
      !isTaken(index) &&
      message.exchange === exchange &&
      message.routingKey === routingKey &&
      message.properties.headers['position'] === headers?.['position'] &&
      message.properties.headers['id'] === headers?.['id'],
  );
}

/** What becomes of a message whose headers the client can't send in one frame of that size; undefined where it can. */
export function tooLargeHeaders(message: AmqpMessage, frameBytes: number): AmqpResult | undefined {
  const bytes = propertyBytes(message);
  if (bytes <= frameBytes) return undefined;
  const error = new PermanentError(
    `its headers have about ${bytes} bytes, and one frame of this connection has ${frameBytes}`,
  );
  return { kind: 'refused', error };
}
