import type { Delivered, OutboxMessage } from '../../message.js';
import { checkBoolean, checkKnown, checkWholeNumbers, invalidOption } from '../../internal/check-options.js';
import { shown } from '../../errors.js';
import { checkFunctionsOf, checkTextOf, type TextOf } from '../by-message.js';

/** Options of `rabbitmqPublisher`. */
export interface RabbitmqPublisherOptions<M extends OutboxMessage> {
  /**
   * The exchange to publish to. One that is missing is a permanent failure of the message where a function names it, else
   * the publisher waits until it is declared.
   *
   * @defaultValue the default exchange, to which `routingKey` is the name of a queue
   */
  readonly exchange?: TextOf<M>;
  /** The routing key: at most 255 bytes. @defaultValue the message's type */
  readonly routingKey?: TextOf<M>;
  /**
   * Whether a message that reaches no queue is an error. With `false` RabbitMQ drops it, and confirms it all the same.
   *
   * @defaultValue true
   */
  readonly mandatory?: boolean;
  /** The body. @defaultValue the data as JSON */
  readonly content?: (message: Delivered<M>) => string | Uint8Array;
  /** What the body is. @defaultValue `"application/json"` */
  readonly contentType?: string;
  /** Headers beside the message's own and `id`, `type`, `position`, `created` and `key`, whose names they can't have. */
  readonly headers?: (message: Delivered<M>) => Readonly<Record<string, string | undefined>>;
  /**
   * Most bytes of a body: the server's `max_message_size`, 128 MiB by default up to RabbitMQ 3.13, and 16 MiB since 4.0. A larger
   * one is a permanent failure of that message; the server would close the channel with all that is under way.
   *
   * @defaultValue 134,217,728
   */
  readonly maxMessageBytes?: number;
  /**
   * How long, in milliseconds, the server may confirm nothing until it is taken to be down; 1,000 to 3,600,000. What was
   * sent may still be stored, and is sent again.
   *
   * @defaultValue 60,000
   */
  readonly confirmTimeoutMs?: number;
}

export const rabbitmqDefaults = { mandatory: true, maxMessageBytes: 134_217_728, confirmTimeoutMs: 60_000 } as const;

const known = [
  'exchange',
  'routingKey',
  'mandatory',
  'content',
  'contentType',
  'headers',
  'maxMessageBytes',
  'confirmTimeoutMs',
] as const satisfies readonly (keyof RabbitmqPublisherOptions<OutboxMessage>)[];

/** @throws `INVALID_OPTION` */
export function checkRabbitmqOptions(given: unknown): void {
  checkKnown(given, known);
  const options = given as Record<(typeof known)[number], unknown>;
  if (options.exchange !== '') checkTextOf('exchange', options.exchange, false);
  checkTextOf('routingKey', options.routingKey, false);
  checkBoolean('mandatory', options.mandatory);
  checkFunctionsOf(options, ['content', 'headers']);
  if (options.contentType !== undefined && (typeof options.contentType !== 'string' || options.contentType === ''))
    throw invalidOption('contentType', 'must be a text that is not empty', `got ${shown(options.contentType)}`);
  checkWholeNumbers(options, { maxMessageBytes: [1, 536_870_912], confirmTimeoutMs: [1_000, 3_600_000] });
}
