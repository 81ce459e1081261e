import type { CloudEvent, ContentMode } from './cloud-event.js';
import { partsOf } from './cloud-event.js';
import {
  checkEvent,
  invalid,
  readData,
  readEvent,
  structuredType,
  textOf,
  writeData,
  writeEvent,
} from './json-format.js';
import type { TextOrBytes } from './json-format.js';

/** What a Kafka record holds of an event; its key is the publisher's choice. */
export interface KafkaContent {
  readonly headers: Record<string, string>;
  readonly value: string;
}

/** A record as Kafka clients hand it to a consumer: headers are texts or bytes, and several of one name an array. */
export interface KafkaRecord {
  readonly headers?: Readonly<Record<string, TextOrBytes | readonly TextOrBytes[] | null | undefined>> | undefined;
  readonly value: TextOrBytes | null;
}

/**
 * An event as content of a Kafka record: in binary mode headers `ce_…` and the data as value; in structured mode one
 * header, `content-type`, and the event as value.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 *
 * @param mode `"binary"` by default
 * @throws `INVALID_MESSAGE` when the data is not JSON
 */
export function toKafka(event: CloudEvent, mode: ContentMode = 'binary'): KafkaContent {
  if (mode === 'structured') return { headers: { 'content-type': structuredType }, value: writeEvent(event) };
  const headers = partsOf(event).attributes.map(([name, value]) =>
    name === 'datacontenttype' ? ['content-type', value] : [`ce_${name}`, value],
  );
  return { headers: Object.fromEntries(headers) as Record<string, string>, value: writeData(event) };
}

/** The event of a Kafka record, of either mode. @throws `INVALID_MESSAGE` when there is none in it */
export function fromKafka({ headers = {}, value }: KafkaRecord): CloudEvent {
  const texts = Object.entries(headers).flatMap(([name, given]): [string, string][] => {
    const first = Array.isArray(given)
      ? (given[0] as TextOrBytes | undefined)
      : (given as TextOrBytes | null | undefined);
    return first === undefined || first === null ? [] : [[name.toLowerCase(), textOf(first)]];
  });
  const contentType = texts.find(([name]) => name === 'content-type')?.[1];
  if (contentType?.toLowerCase().startsWith('application/cloudevents')) {
    if (!/^application\/cloudevents\+json\b/i.test(contentType)) throw invalid('its format is not JSON');
    return readEvent(value ?? '');
  }
  const attributes = texts.filter(([name]) => name.startsWith('ce_')).map(([name, text]) => [name.slice(3), text]);
  const data = readData(value, contentType);
  return checkEvent({
    ...(Object.fromEntries(attributes) as Record<string, string>),
    ...(contentType === undefined ? {} : { datacontenttype: contentType }),
    ...(data === undefined ? {} : { data }),
  });
}
