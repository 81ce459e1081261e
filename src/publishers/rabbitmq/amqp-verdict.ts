import { PermanentError, Unavailable } from '../../verdict.js';

import type { AmqpMessage } from './amqp-message.js';
import type { AmqpClosed, AmqpResult } from './amqp-session.js';

/** Which names the user gave once for all messages: what is wrong with them is wrong with no single message. */
export interface FixedNames {
  readonly exchange: boolean;
  readonly routingKey: boolean;
}

/** The error of one message; undefined where it is stored. */
export function amqpVerdict(
  message: AmqpMessage,
  result: AmqpResult,
  closed: AmqpClosed | undefined,
  fixed: FixedNames,
): PermanentError | Unavailable | undefined {
  switch (result.kind) {
    case 'confirmed':
      return undefined;
    case 'returned':
      return unroutable(message, result.text, fixed);
    case 'nacked':
      return new Unavailable(
        'RabbitMQ refused the message for now: a queue is full (x-overflow reject-publish) or fails',
      );
    case 'refused':
      return result.error instanceof PermanentError
        ? result.error
        : new PermanentError('the client can not send this message', { cause: result.error });
    case 'unknown':
      return afterClose(message, closed ?? { text: 'the channel was closed' }, fixed);
  }
}

function unroutable(
  { exchange, routingKey }: AmqpMessage,
  text: string,
  fixed: FixedNames,
): PermanentError | Unavailable {
  const what = `RabbitMQ returned the message (${text}): no queue is bound to ${named(exchange)} with the routing key "${routingKey}"`;
  return fixed.exchange && fixed.routingKey
    ? new Unavailable(`${what}. Declare and bind the queue; the publisher goes on then`)
    : new PermanentError(what);
}

/** Of a channel that the server closed: it says why, and by that for which messages. */
function afterClose(message: AmqpMessage, closed: AmqpClosed, fixed: FixedNames): PermanentError | Unavailable {
  const { kind, text, name } = closeReason(closed.cause);
  const options = closed.cause === undefined ? {} : { cause: closed.cause };
  switch (kind) {
    case 'too-large': {
      const most = Number(/max(?:imum)? size (\d+)/.exec(text)?.[1]);
      if (message.content.length > most)
        return new PermanentError(
          `the message has ${message.content.length} bytes, and RabbitMQ takes ${most} (max_message_size)`,
          options,
        );
      break;
    }
    case 'no-exchange':
      if (fixed.exchange)
        return new Unavailable(
          `RabbitMQ has no ${named(message.exchange)}. Declare it; the publisher goes on then`,
          options,
        );
      if (name === message.exchange) return new PermanentError(`RabbitMQ has no ${named(name)}`, options);
      break;
    case 'refused': {
      const isFixed = fixed.exchange && (fixed.routingKey || !text.includes('access to topic'));
      if (isFixed)
        return new Unavailable(`RabbitMQ refuses this user to write to ${named(message.exchange)}. Grant it`, options);
      if (text.includes(`'${message.exchange}'`) || message.exchange === '')
        return new PermanentError(`RabbitMQ refuses this user to write to ${named(message.exchange)}`, options);
      break;
    }
    case 'other':
  }
  return new Unavailable(`RabbitMQ has not confirmed: ${closed.text}`, options);
}

interface CloseReason {
  readonly kind: 'too-large' | 'no-exchange' | 'refused' | 'other';
  readonly text: string;
  readonly name?: string | undefined;
}

/** By the server's reply codes; amqplib has them as numbers, rabbitmq-client by name. */
export function closeReason(cause: unknown): CloseReason {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : '';
  if ((code === 406 || code === 'PRECONDITION_FAILED') && /message size/.test(text)) return { kind: 'too-large', text };
  if ((code === 404 || code === 'NOT_FOUND') && /no exchange/.test(text))
    return { kind: 'no-exchange', text, name: /no exchange '(.*?)' in vhost/.exec(text)?.[1] };
  if (code === 403 || code === 'ACCESS_REFUSED') return { kind: 'refused', text };
  return { kind: 'other', text };
}

function named(exchange: string): string {
  return exchange === '' ? 'the default exchange' : `exchange "${exchange}"`;
}
