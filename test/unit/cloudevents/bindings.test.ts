import { CloudEvent as SdkEvent, HTTP, Kafka, type Message } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isExtensionName, isLegalText } from '../../../src/cloudevents/attribute-rules.js';
import {
  fromCloudEvent,
  fromHttp,
  fromKafka,
  toCloudEvent,
  toHttp,
  toHttpBatch,
  toKafka,
  type CloudEvent,
  type ContentMode,
} from '../../../src/cloudevents.js';
import { delivered } from '../../support/delivered.js';

const modes: readonly ContentMode[] = ['binary', 'structured'];
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Texts as CloudEvents allows them. */
const text = (options: fc.StringConstraints = {}) => fc.string({ unit: 'grapheme', ...options }).filter(isLegalText);
const messages = fc
  .record(
    {
      id: text({ minLength: 1 }),
      type: text({ minLength: 1 }),
      key: text({ minLength: 1 }),
      position: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      created: fc.date({ noInvalidDate: true, min: new Date('1970-01-01'), max: new Date('9999-12-31') }),
      headers: fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,20}$/).filter(isExtensionName), text()),
      data: fc.dictionary(fc.string(), fc.jsonValue()),
    },
    { requiredKeys: ['id', 'type', 'position', 'created', 'headers', 'data'] },
  )
  .map((changes) => delivered(changes));
const options = { source: '/orders%20here?a=b#c', subject: ({ id }: { id: string }) => `100% "${id}"` };

/** ASCII without what HTTP would have to encode: the SDK neither encodes nor decodes it. */
const plain = fc.stringMatching(/^[!#-$&-~]{1,20}$/);
const plainMessages = fc
  .record({
    id: plain,
    type: plain,
    key: plain,
    headers: fc.record({ tenant: plain }),
    data: fc.dictionary(fc.string(), fc.jsonValue()),
  })
  .map((changes) => delivered(changes));

describe('a message comes back from', () => {
  const back = (message: ReturnType<typeof delivered>, event: CloudEvent) => {
    const { id, type, key, position, created, headers } = message;
    expect(fromCloudEvent(event)).toEqual({
      ...{ id, type, position, created, headers, source: options.source, subject: options.subject(message) },
      ...(key === undefined ? {} : { key }),
      data: json(message.data),
    });
  };

  it.each(modes)('a Kafka record, %s', (mode) => {
    fc.assert(
      fc.property(messages, fc.boolean(), (message, asBytes) => {
        const { headers, value } = toKafka(toCloudEvent(message, options), mode);
        // Consumers get bytes.
        const bytes = Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, Buffer.from(each)]));
        back(message, fromKafka(asBytes ? { headers: bytes, value: Buffer.from(value) } : { headers, value }));
      }),
    );
  });

  it.each(modes)('an HTTP request, %s', (mode) => {
    fc.assert(
      fc.property(messages, (message) => {
        const { headers, body } = toHttp(toCloudEvent(message, options), mode);
        // It is what fetch takes, and what Node's server hands on.
        const [event, ...others] = fromHttp({ headers: new Headers(headers), body: Buffer.from(body) });
        expect(others).toEqual([]);
        back(message, event!);
      }),
    );
  });

  it('a batch', () => {
    fc.assert(
      fc.property(fc.array(messages), (batch) => {
        const events = fromHttp(toHttpBatch(batch.map((message) => toCloudEvent(message, options))));
        expect(events.length).toBe(batch.length);
        batch.forEach((message, index) => back(message, events[index]!));
      }),
    );
  });

  it('HTTP headers hold printable ASCII only', () => {
    fc.assert(
      fc.property(messages, (message) => {
        for (const value of Object.values(toHttp(toCloudEvent(message, options)).headers))
          expect(value).toMatch(/^[\x21-\x7e]*$/);
      }),
    );
  });
});

describe("the SDK of the specification's authors reads what is written", () => {
  const fields = ({ data, ...attributes }: CloudEvent) => ({ ...attributes, data: json(data) });
  const read = (event: unknown) => json(event);

  it.each(modes)('to Kafka, %s', (mode) => {
    fc.assert(
      fc.property(messages, (message) => {
        const event = toCloudEvent(message, options);
        const content = { ...toKafka(event, mode), key: message.key, body: undefined };
        expect(Kafka.isEvent(content as unknown as Message)).toBe(true);
        const found = Kafka.toEvent(content) as SdkEvent;
        expect(found.validate()).toBe(true);
        expect(read(found)).toEqual(fields(event));
      }),
    );
  });

  it('to HTTP, binary', () => {
    fc.assert(
      fc.property(plainMessages, (message) => {
        const event = toCloudEvent(message, { source: '/orders' });
        const found = HTTP.toEvent(toHttp(event)) as SdkEvent;
        expect(found.validate()).toBe(true);
        expect(read(found)).toEqual(fields(event));
      }),
    );
  });

  it('to HTTP, structured', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const event = toCloudEvent(message, options);
        const found = HTTP.toEvent(toHttp(event, 'structured')) as SdkEvent;
        expect(found.validate()).toBe(true);
        expect(read(found)).toEqual(fields(event));
      }),
    );
  });

  it('to HTTP, several', () => {
    fc.assert(
      fc.property(fc.array(messages, { minLength: 1 }), (batch) => {
        const events = batch.map((message) => toCloudEvent(message, options));
        const found = HTTP.toEvent(toHttpBatch(events)) as SdkEvent[];
        expect(found.map(read)).toEqual(events.map(fields));
      }),
    );
  });
});

describe("what the SDK of the specification's authors writes is read", () => {
  const sdkEvent = (message: ReturnType<typeof delivered>) =>
    new SdkEvent({ ...toCloudEvent(message, { source: '/orders' }), data: json(message.data) as object });
  const strings = (headers: object) =>
    Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );

  it.each(modes)('from Kafka, %s', (mode) => {
    fc.assert(
      fc.property(messages, (message) => {
        const event = sdkEvent(message);
        const { headers, value } = Kafka[mode](event) as unknown as { headers: object; value: unknown };
        const record = { headers: strings(headers), value: typeof value === 'string' ? value : JSON.stringify(value) };
        expect(fromKafka(record)).toEqual(json(event));
      }),
    );
  });

  it.each(modes)('from HTTP, %s', (mode) => {
    fc.assert(
      fc.property(plainMessages, (message) => {
        const event = sdkEvent(message);
        const { headers, body } = HTTP[mode](event);
        expect(fromHttp({ headers: strings(headers), body: body as string })).toEqual([json(event)]);
      }),
    );
  });
});

describe('the bindings', () => {
  it('put what the specification says into a Kafka record', () => {
    const event = toCloudEvent(delivered({ key: 'ä b' }), { source: '/orders' });
    expect(toKafka(event)).toEqual({
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: 'id-1',
        ce_source: '/orders',
        ce_type: 'order_created',
        ce_time: '2026-01-02T03:04:05.678Z',
        ce_partitionkey: 'ä b',
        ce_position: '1',
      },
      value: '{"ordernr":7}',
    });
    expect(toKafka(event, 'structured').headers).toEqual({
      'content-type': 'application/cloudevents+json; charset=utf-8',
    });
  });

  // The example of the specification, and characters at the edges of what is encoded.
  it.each([
    ['Euro € 😀', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
    ['"100%"', '%22100%25%22'],
    ["!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ['\u007f', '%7F'],
    ['%20', '%2520'],
    ['', ''],
  ])('encode the HTTP header value %j', (subject, encoded) => {
    const event = { ...toCloudEvent(delivered(), { source: '/orders' }), subject };
    expect(toHttp(event).headers['ce-subject']).toBe(encoded);
  });

  it.each([
    ['Euro%20%e2%82%ac%20%F0%9F%98%80', 'Euro € 😀'],
    ['Euro € and 100%', 'Euro € and 100%'],
    ['"quoted \\"%C3%A4\\" text"', 'quoted "ä" text'],
    ['%2520', '%20'],
    ['%zz', '%zz'],
  ])('decode the HTTP header value %j', (value, subject) => {
    const headers = { 'ce-id': '1', 'CE-Source': '/', 'ce-type': 't', 'ce-specversion': '1.0', 'ce-subject': value };
    expect(fromHttp({ headers, body: '' })[0]).toEqual({
      specversion: '1.0',
      id: '1',
      source: '/',
      type: 't',
      subject,
    });
  });

  it('read data that is no JSON as it is, and bytes from base64', () => {
    const headers = { ce_id: '1', ce_source: '/', ce_type: 't', ce_specversion: '1.0', 'content-type': 'text/plain' };
    expect(fromKafka({ headers, value: 'a text' })).toMatchObject({ data: 'a text', datacontenttype: 'text/plain' });
    const event = { specversion: '1.0', id: '1', source: '/', type: 't' };
    const read = (more: object) =>
      fromHttp({
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({ ...event, ...more }),
      })[0];
    expect(read({ data_base64: 'AQI=', datacontenttype: 'image/png' })?.data).toEqual(new Uint8Array([1, 2]));
    expect(read({ data_base64: 'eyJhIjoxfQ==', datacontenttype: 'application/json' })?.data).toEqual({ a: 1 });
    expect(read({ data: null, subject: null })).toEqual({ ...event, data: null });
  });

  const attributes = { ce_id: '1', ce_source: '/', ce_type: 't', ce_specversion: '1.0' };
  it.each<[string, Parameters<typeof fromKafka>[0]]>([
    ['its attribute id is missing', { value: '{}' }],
    ['its attribute type is missing', { headers: { ...attributes, ce_type: null }, value: '{}' }],
    ['only version 1.0 is read', { headers: { ...attributes, ce_specversion: '0.3' }, value: '{}' }],
    ['it is no JSON', { headers: { ...attributes, 'content-type': 'application/json' }, value: '{secret' }],
    ['its format is not JSON', { headers: { 'content-type': 'application/cloudevents+avro' }, value: '' }],
    ['it is no JSON', { headers: { 'content-type': 'application/cloudevents+json' }, value: null }],
    ['an event must be an object', { headers: { 'content-type': 'application/cloudevents+json' }, value: '[]' }],
  ])('refuse a record: %s', (why, record) => {
    const refusal = { code: 'INVALID_MESSAGE', message: expect.stringContaining(why) as string };
    expect(() => fromKafka(record)).toThrow(expect.objectContaining(refusal) as Error);
    expect(() => fromKafka(record)).not.toThrow(/secret/);
  });

  it('refuse to write data that is not JSON', () => {
    const event = { ...toCloudEvent(delivered(), { source: '/' }), datacontenttype: 'text/plain' };
    for (const mode of modes) {
      expect(() => toKafka(event, mode)).toThrow(/only JSON data/);
      expect(() => toHttp(event, mode)).toThrow(/only JSON data/);
    }
  });
});
