import type { Delivered, OutboxMessage } from '../../message.js';
import { PermanentError } from '../../verdict.js';
import { textFor } from '../by-message.js';
import { messageHeaders } from '../message-headers.js';
import { toJson } from '../to-json.js';

import type { RabbitmqPublisherOptions } from './rabbitmq-options.js';

/** What is sent for one message. */
export interface AmqpMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: AmqpProperties;
}

/** The names are those of both clients; `persistent` and `durable` are one thing to each of them. */
export interface AmqpProperties {
  readonly mandatory: boolean;
  readonly deliveryMode: 2;
  readonly contentType: string;
  /** Seconds. */
  readonly timestamp: number;
  readonly headers: Record<string, string>;
  messageId?: string;
  type?: string;
}

/** Most bytes of an AMQP short string: https://www.rabbitmq.com/amqp-0-9-1-protocol */
const mostShortBytes = 255;

/** @throws PermanentError for what can never be sent: the client or the server would close the channel, and others with it */
export function amqpMessage<M extends OutboxMessage>(
  message: Delivered<M>,
  options: RabbitmqPublisherOptions<M> & { readonly maxMessageBytes: number; readonly mandatory: boolean },
): AmqpMessage {
  const { exchange = '', routingKey = ({ type }: Delivered<M>) => type, contentType = 'application/json' } = options;
  const content = bytesOf(options.content === undefined ? toJson(message.data) : options.content(message));
  if (content.length > options.maxMessageBytes)
    throw new PermanentError(
      `the message has ${content.length} bytes, more than the ${options.maxMessageBytes} of option maxMessageBytes`,
    );
  const properties: AmqpProperties = {
    mandatory: options.mandatory,
    deliveryMode: 2,
    contentType,
    timestamp: Math.floor(message.created.getTime() / 1_000),
    headers: messageHeaders(message, { ...options.headers?.(message), key: message.key }),
  };
  // Longer ones are in the headers alone.
  if (isShort(message.id)) properties.messageId = message.id;
  if (isShort(message.type)) properties.type = message.type;
  return {
    exchange: exchange === '' ? '' : short('exchange', textFor('exchange', exchange, message)),
    routingKey: short('routingKey', textFor('routingKey', routingKey, message)),
    content,
    properties,
  };
}

/**
 * Bytes of the frame that holds a message's properties, which can't be split: a larger one than was agreed upon costs the
 * whole connection. https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2.6.1
 */
export function propertyBytes({
  properties: { contentType, headers, messageId = '', type = '' },
}: AmqpMessage): number {
  let bytes = 64;
  for (const text of [contentType, messageId, type]) bytes += 1 + Buffer.byteLength(text);
  for (const [name, value] of Object.entries(headers)) bytes += 6 + Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

function bytesOf(content: string | Uint8Array): Buffer {
  return typeof content === 'string'
    ? Buffer.from(content)
    : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

function isShort(text: string): boolean {
  return Buffer.byteLength(text) <= mostShortBytes;
}

function short(option: string, text: string): string {
  if (isShort(text)) return text;
  throw new PermanentError(
    `option ${option} gave a text of more than ${mostShortBytes} bytes, which AMQP has no room for`,
  );
}
