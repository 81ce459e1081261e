import { shown } from '../../errors.js';
import { checkKnown, checkWholeNumbers, invalidOption } from '../../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import { checkFunctionsOf, checkTextOf, type TextOf } from '../by-message.js';

/** Options of `natsPublisher`. */
export interface NatsPublisherOptions<M extends OutboxMessage> {
  /**
   * The subject, which a stream has to take. One that no stream takes is a permanent failure of the message where a function
   * names it, else the publisher waits until there is one.
   */
  readonly subject: TextOf<M>;
  /**
   * The id by which the server drops what it has stored already, within the stream's `duplicate_window` (2 minutes by default);
   * an empty text: none.
   *
   * @defaultValue the message's id
   */
  readonly messageId?: (message: Delivered<M>) => string;
  /** The payload. @defaultValue the data as JSON */
  readonly content?: (message: Delivered<M>) => string | Uint8Array;
  /** Headers beside the message's own and `id`, `type`, `position`, `created` and `key`, whose names they can't have. */
  readonly headers?: (message: Delivered<M>) => Readonly<Record<string, string | undefined>>;
  /**
   * How long, in milliseconds, an acknowledgement is waited for until the server is taken to be down; 100 to 3,600,000. What was
   * sent may still be stored, and is sent again.
   *
   * @defaultValue 10,000
   */
  readonly ackTimeoutMs?: number;
}

export const natsDefaults = { ackTimeoutMs: 10_000 } as const;

const known = [
  'subject',
  'messageId',
  'content',
  'headers',
  'ackTimeoutMs',
] as const satisfies readonly (keyof NatsPublisherOptions<OutboxMessage>)[];

/** @throws `INVALID_OPTION` */
export function checkNatsOptions(given: unknown): void {
  checkKnown(given, known);
  const options = given as Record<(typeof known)[number], unknown>;
  checkTextOf('subject', options.subject, true);
  if (typeof options.subject === 'string' && !isSubject(options.subject))
    throw invalidOption(
      'subject',
      'must be words with dots between them, without blanks and wildcards',
      `got ${shown(options.subject)}`,
    );
  checkFunctionsOf(options, ['messageId', 'content', 'headers']);
  checkWholeNumbers(options, { ackTimeoutMs: [100, 3_600_000] });
}

/** Whether something can be published to it: https://docs.nats.io/nats-concepts/subjects */
export function isSubject(text: string): boolean {
  return !/\s/.test(text) && text.split('.').every((word) => word !== '' && word !== '*' && word !== '>');
}
