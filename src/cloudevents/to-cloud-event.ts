import { shown } from '../errors.js';
import type { Delivered, OutboxMessage } from '../message.js';
import { textFor } from '../publishers/by-message.js';
import { PermanentError } from '../verdict.js';
import { isExtensionName, isInt32, isLegalText, isUriReference, longestAdvisedName } from './attribute-rules.js';
import type { CloudEvent } from './cloud-event.js';
import { checkCloudEventOptions, type CloudEventOptions, type Extensions } from './cloud-event-options.js';

/**
 * The message as a CloudEvent: `id`, `type` and `data` are its own, `time` is its `created`, `partitionkey` its key, and
 * `position` its position as decimal digits. The headers `traceparent` and `tracestate` become the attributes of that name.
 *
 * @throws `INVALID_OPTION`; PermanentError where the message gives a text that CloudEvents forbids (control characters,
 * a source that is no URI reference, an extension's name)
 */
export function toCloudEvent<M extends OutboxMessage>(
  message: Delivered<M>,
  options: CloudEventOptions<M>,
): CloudEvent {
  checkCloudEventOptions(options);
  const { id, type, key, headers, position, created, data } = message;
  const source = textFor('source', options.source, message);
  if (!isUriReference(source))
    throw new PermanentError(`option source must give a URI reference (RFC 3986): got ${shown(source)}`);
  const subject = options.subject === undefined ? undefined : textFor('subject', options.subject, message);
  const extensions = options.extensions?.(message);
  return {
    specversion: '1.0',
    id: legal('id', id),
    source,
    type: legal('type', type),
    ...(subject === undefined ? {} : { subject: legal('subject', subject) }),
    time: created.toISOString(),
    datacontenttype: 'application/json',
    ...(key === undefined ? {} : { partitionkey: legal('partitionkey', key) }),
    position: String(position),
    ...traceOf(headers),
    ...(extensions === undefined ? extensionsOf(headers) : checked(extensions)),
    data,
  };
}

function legal(attribute: string, text: string): string {
  if (isLegalText(text)) return text;
  throw new PermanentError(`the attribute ${attribute} of a CloudEvent must hold no control characters`);
}

function traceOf({ traceparent, tracestate }: Readonly<Record<string, string | undefined>>): Extensions {
  return present({ traceparent, tracestate }, ([, value]) => isLegalText(value));
}

function extensionsOf(headers: Readonly<Record<string, string>>): Extensions {
  return present(
    headers,
    ([name, value]) => name.length <= longestAdvisedName && isExtensionName(name) && isLegalText(value),
  );
}

/** Headers may be undefined or null at run time, whatever their type says. */
function present(
  headers: Readonly<Record<string, string | null | undefined>>,
  isGood: (entry: [name: string, value: string]) => boolean,
): Extensions {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && isGood(entry as [string, string]),
    ),
  );
}

function checked(extensions: Extensions): Extensions {
  for (const [name, value] of Object.entries(extensions)) {
    if (!isExtensionName(name))
      throw new PermanentError(
        `option extensions gave the name ${shown(name)}: it must be lower-case letters and digits, and no attribute that the event has anyway`,
      );
    if (!isExtensionValue(value))
      throw new PermanentError(
        `option extensions gave ${name} a value that must be a text without control characters, a whole number of 32 bits, or a boolean`,
      );
  }
  return Object.fromEntries(Object.entries(extensions).filter(([, value]) => value !== undefined));
}

function isExtensionValue(value: unknown): boolean {
  if (typeof value === 'string') return isLegalText(value);
  if (typeof value === 'number') return isInt32(value);
  return value === undefined || typeof value === 'boolean';
}
