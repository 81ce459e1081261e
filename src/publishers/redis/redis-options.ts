import { checkKnown, checkWholeNumbers, checkWord } from '../../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import { checkFunctionsOf, checkTextOf, type TextOf } from '../by-message.js';

/** Options of `redisPublisher`. */
export interface RedisPublisherOptions<M extends OutboxMessage> {
  /**
   * The key of the stream, which is made with its first message. A key that holds something else is a permanent failure of
   * the message where a function names it, else the publisher waits until it is mended.
   */
  readonly stream: TextOf<M>;
  /**
   * Most entries of a stream; 1 to 2^53 - 1. The oldest are removed with each XADD, whether they have been read or not.
   *
   * @defaultValue no limit
   */
  readonly maxLength?: number;
  /** Whether `maxLength` may be exceeded by some dozens, which is far cheaper. @defaultValue `"approximate"` */
  readonly trim?: 'approximate' | 'exact';
  /** The field `data`. @defaultValue the data as JSON */
  readonly content?: (message: Delivered<M>) => string | Uint8Array;
  /** Values beside the message's own headers, in the field `headers`. */
  readonly headers?: (message: Delivered<M>) => Readonly<Record<string, string | undefined>>;
  /**
   * How long, in milliseconds, the server may answer nothing until it is taken to be down; 100 to 3,600,000. What was
   * sent may still be stored, and is sent again.
   *
   * @defaultValue 10,000
   */
  readonly replyTimeoutMs?: number;
}

export const redisDefaults = { trim: 'approximate', replyTimeoutMs: 10_000 } as const;

const known = [
  'stream',
  'maxLength',
  'trim',
  'content',
  'headers',
  'replyTimeoutMs',
] as const satisfies readonly (keyof RedisPublisherOptions<OutboxMessage>)[];

/** @throws `INVALID_OPTION` */
export function checkRedisOptions(given: unknown): void {
  checkKnown(given, known);
  const options = given as Record<(typeof known)[number], unknown>;
  checkTextOf('stream', options.stream, true);
  checkWord('trim', options.trim, ['approximate', 'exact']);
  checkFunctionsOf(options, ['content', 'headers']);
  checkWholeNumbers(options, { maxLength: [1, Number.MAX_SAFE_INTEGER], replyTimeoutMs: [100, 3_600_000] });
}
