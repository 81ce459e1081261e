import type { CloudEvent, ContentMode } from './cloud-event.js';
import { partsOf } from './cloud-event.js';
import {
  batchType,
  checkEvent,
  invalid,
  readBatch,
  readData,
  readEvent,
  structuredType,
  writeData,
  writeEvent,
} from './json-format.js';
import type { TextOrBytes } from './json-format.js';
import { percentDecode, percentEncode } from './percent-encoding.js';

/** Headers and body of a request. */
export interface HttpContent {
  /** Names are in lower case. */
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A request as servers hand it on: headers as of node:http, or a `Headers`. */
export interface HttpRequest {
  readonly headers:
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | { entries(): IterableIterator<[string, string]> };
  /** The raw body, not parsed. */
  readonly body: TextOrBytes;
}

/**
 * An event as an HTTP request: in binary mode headers `ce-…`, percent-encoded, and the data as body; in structured mode
 * the event as body.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 *
 * @param mode `"binary"` by default
 * @throws `INVALID_MESSAGE` when the data is not JSON
 */
export function toHttp(event: CloudEvent, mode: ContentMode = 'binary'): HttpContent {
  if (mode === 'structured') return { headers: { 'content-type': structuredType }, body: writeEvent(event) };
  const headers = partsOf(event).attributes.map(([name, value]) =>
    name === 'datacontenttype' ? ['content-type', value] : [`ce-${name}`, percentEncode(value)],
  );
  return { headers: Object.fromEntries(headers) as Record<string, string>, body: writeData(event) };
}

/** Several events in one request: the batched content mode. @throws `INVALID_MESSAGE` when data is not JSON */
export function toHttpBatch(events: readonly CloudEvent[]): HttpContent {
  return { headers: { 'content-type': batchType }, body: `[${events.map(writeEvent).join(',')}]` };
}

/** The events of a request of any mode; several only of a batch. @throws `INVALID_MESSAGE` when there is none in it */
export function fromHttp({ headers, body }: HttpRequest): CloudEvent[] {
  const values = valuesOf(headers);
  const contentType = values.get('content-type');
  if (contentType?.toLowerCase().startsWith('application/cloudevents')) {
    if (/^application\/cloudevents-batch\+json\b/i.test(contentType)) return readBatch(body);
    if (/^application\/cloudevents\+json\b/i.test(contentType)) return [readEvent(body)];
    throw invalid('its format is not JSON');
  }
  const attributes = [...values].filter(([name]) => name.startsWith('ce-'));
  const data = readData(body, contentType);
  return [
    checkEvent({
      ...Object.fromEntries(attributes.map(([name, value]) => [name.slice(3), percentDecode(value)])),
      ...(contentType === undefined ? {} : { datacontenttype: contentType }),
      ...(data === undefined ? {} : { data }),
    }),
  ];
}

function valuesOf(headers: HttpRequest['headers']): Map<string, string> {
  const entries: Iterable<[string, unknown]> =
    typeof headers['entries'] === 'function'
      ? (headers as { entries(): IterableIterator<[string, string]> }).entries()
      : Object.entries(headers);
  const values = new Map<string, string>();
  for (const [name, value] of entries) {
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof first === 'string') values.set(name.toLowerCase(), first);
  }
  return values;
}
