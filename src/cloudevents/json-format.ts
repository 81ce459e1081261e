import { OutboxError, shown } from '../errors.js';
import { toJson } from '../publishers/to-json.js';
import type { CloudEvent } from './cloud-event.js';

/*
 * The JSON event format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 * Data is written as JSON only: messages have no other.
 */

// In lower case: the JavaScript SDK knows no other spelling.
export const structuredType = 'application/cloudevents+json; charset=utf-8';
export const batchType = 'application/cloudevents-batch+json; charset=utf-8';

/** Text, or the bytes of it in UTF-8. */
export type TextOrBytes = string | Uint8Array;

/** The data alone, as binary mode sends it; empty when there is none. */
export function writeData({ data, datacontenttype }: CloudEvent): string {
  if (datacontenttype !== undefined && !isJsonType(datacontenttype))
    throw invalid(`only JSON data can be written: its datacontenttype is ${shown(datacontenttype)}`);
  return data === undefined ? '' : toJson(data);
}

/** The event as one JSON document. */
export function writeEvent(event: CloudEvent): string {
  writeData({ ...event, data: undefined });
  return toJson(event);
}

/** Data as it came in binary mode: parsed when it is JSON, and else as it is. */
export function readData(body: TextOrBytes | null | undefined, contentType: string | undefined): unknown {
  if (body === undefined || body === null || body.length === 0) return undefined;
  return isJsonType(contentType ?? 'application/json') ? parse(textOf(body)) : body;
}

export function readEvent(body: TextOrBytes): CloudEvent {
  return eventOf(parse(textOf(body)));
}

export function readBatch(body: TextOrBytes): CloudEvent[] {
  const events = parse(textOf(body));
  if (!Array.isArray(events)) throw invalid(`a batch must be an array: got ${shown(events)}`);
  return events.map(eventOf);
}

/** @throws `INVALID_MESSAGE` when a required attribute is missing, or the version is not 1.x */
export function checkEvent(event: Readonly<Record<string, unknown>>): CloudEvent {
  for (const name of ['id', 'source', 'type', 'specversion']) {
    const value = event[name];
    if (typeof value !== 'string' || value === '') throw invalid(`its attribute ${name} is missing`);
  }
  if (!/^1\.\d+$/.test(event['specversion'] as string))
    throw invalid(`only version 1.0 is read: its specversion is ${shown(event['specversion'])}`);
  return event as CloudEvent;
}

/** Media types whose content is JSON: https://www.rfc-editor.org/rfc/rfc6839#section-3.1 */
function isJsonType(type: string): boolean {
  return /^[^;]*[/+]json\s*(?:;|$)/i.test(type);
}

export function invalid(what: string, cause?: unknown): OutboxError {
  return new OutboxError('INVALID_MESSAGE', `a CloudEvent can not be read or written: ${what}`, { cause });
}

export function textOf(body: TextOrBytes): string {
  return typeof body === 'string' ? body : new TextDecoder().decode(body);
}

function eventOf(parsed: unknown): CloudEvent {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid(`an event must be an object: got ${shown(parsed)}`);
  const { data_base64: base64, ...rest } = parsed as Record<string, unknown>;
  // An attribute that is null is not set.
  const event = Object.fromEntries(Object.entries(rest).filter(([name, value]) => value !== null || name === 'data'));
  return checkEvent(typeof base64 === 'string' ? { ...event, data: bytesOf(base64, event) } : event);
}

function bytesOf(base64: string, { datacontenttype }: Readonly<Record<string, unknown>>): unknown {
  return readData(new Uint8Array(Buffer.from(base64, 'base64')), datacontenttype as string | undefined);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The error of JSON.parse quotes what it read.
    throw invalid('it is no JSON');
  }
}
