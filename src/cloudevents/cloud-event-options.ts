import { shown } from '../errors.js';
import { checkKnown, invalidOption } from '../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../message.js';
import { checkFunctionsOf, checkTextOf, type TextOf } from '../publishers/by-message.js';
import { isUriReference } from './attribute-rules.js';

/** How messages become CloudEvents. */
export interface CloudEventOptions<M extends OutboxMessage> {
  /** A URI reference that names the sending service, such as `"/orders"` or `"https://example.com/orders"`. Required. */
  readonly source: TextOf<M>;
  /** What the event is about within the source: the number of an order. @defaultValue no subject */
  readonly subject?: TextOf<M>;
  /**
   * Extension attributes of a message. Names are lower-case letters and digits, at most 20 advised; a number must be a
   * whole one of 32 bits. What may not be an attribute is a permanent failure of its message.
   * @defaultValue the message's headers whose names are of that form and at most 20 characters; the others are left out
   */
  readonly extensions?: (message: Delivered<M>) => Extensions;
}

/** Extension attributes by name; those that are undefined are left out. */
export type Extensions = Readonly<Record<string, string | number | boolean | undefined>>;

/** @throws `INVALID_OPTION` */
export function checkCloudEventOptions(given: unknown): void {
  checkKnown(given, ['source', 'subject', 'extensions']);
  const { source, subject } = given as Record<string, unknown>;
  checkTextOf('source', source, true);
  if (typeof source === 'string' && !isUriReference(source))
    throw invalidOption('source', 'must be a URI reference (RFC 3986), such as "/orders"', `got ${shown(source)}`);
  checkTextOf('subject', subject, false);
  checkFunctionsOf(given, ['extensions']);
}
