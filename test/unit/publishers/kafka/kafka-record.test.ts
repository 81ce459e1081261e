import { describe, expect, it } from 'vitest';

import { PermanentError, type Delivered, type OutboxMessage } from '../../../../src/index.js';
import { kafkaPublisher, platformaticKafkaPublisher, type KafkaPublisherOptions } from '../../../../src/kafka.js';
import { confluentProblem } from '../../../../src/publishers/kafka/confluent-producer.js';
import { kafkaRecord, recordBytes } from '../../../../src/publishers/kafka/kafka-record.js';
import { portionsOf } from '../../../../src/publishers/kafka/portions.js';

type Options = KafkaPublisherOptions<OutboxMessage>;

const message: Delivered<OutboxMessage> = {
  type: 'order_created',
  data: { ordernr: 7 },
  id: 'x-7',
  key: 'customer 1',
  position: 7,
  created: new Date(1_000),
  headers: { traceparent: '00-1' },
};
const plainHeaders = {
  traceparent: '00-1',
  id: 'x-7',
  type: 'order_created',
  position: '7',
  created: '1970-01-01T00:00:01.000Z',
};

describe('a record', () => {
  it('is the data as JSON under the key of the message', () => {
    expect(kafkaRecord(message, { topic: 'orders' })).toEqual({
      topic: 'orders',
      key: 'customer 1',
      value: '{"ordernr":7}',
      headers: plainHeaders,
    });
  });

  it('of a message without a key has its id as key', () => {
    const { key: _key, ...keyless } = message;
    expect(kafkaRecord(keyless, { topic: 'orders' }).key).toBe('x-7');
  });

  it('is what the options make of it', () => {
    const options: Options = {
      topic: ({ type }) => `${type}.v1`,
      key: ({ position }) => Buffer.from([position]),
      value: () => null,
      headers: ({ position }) => ({ more: `p${position}`, left: undefined, id: 'not this one' }),
    };
    expect(kafkaRecord(message, options)).toEqual({
      topic: 'order_created.v1',
      key: Buffer.from([7]),
      value: null,
      headers: { ...plainHeaders, more: 'p7' },
    });
  });

  it('for Debezium has eventType in the place of type', () => {
    const { type: _type, ...headers } = plainHeaders;
    expect(kafkaRecord(message, { topic: 'outbox.event.order', format: 'debezium' })).toEqual({
      topic: 'outbox.event.order',
      key: 'customer 1',
      value: '{"ordernr":7}',
      headers: { ...headers, eventType: 'order_created' },
    });
  });

  it('as a CloudEvent has its attributes as headers, or all of it in the value', () => {
    const options = { topic: 'orders', format: 'cloudevents', cloudEvents: { source: '/orders' } } as const;
    const binary = kafkaRecord(message, { ...options, headers: () => ({ more: 'yes', none: undefined }) });
    expect(binary.headers).toMatchObject({ ce_id: 'x-7', ce_type: 'order_created', ce_source: '/orders', more: 'yes' });
    expect(binary.headers).not.toHaveProperty('none');
    expect(binary.value).toBe('{"ordernr":7}');
    const structured = kafkaRecord(message, { ...options, cloudEvents: { source: '/orders', mode: 'structured' } });
    expect(JSON.parse(structured.value as string)).toMatchObject({ id: 'x-7', data: { ordernr: 7 } });
  });

  it.each<[string, Partial<Options>]>([
    ['topic', { topic: () => '' }],
    ['topic', { topic: () => undefined as never }],
    ['key', { key: () => 7 as never }],
    ['value', { value: () => ({}) as never }],
  ])('option %s that gives no such value is a permanent failure of the message', (option, options) => {
    expect(() => kafkaRecord(message, { topic: 'orders', ...options })).toThrow(PermanentError);
    expect(() => kafkaRecord(message, { topic: 'orders', ...options })).toThrow(
      new RegExp(`option ${option} must give`),
    );
  });

  it('its size counts bytes, not characters', () => {
    const size = (value: string | null) => recordBytes({ topic: 't', key: null, value, headers: {} });
    expect(size('€€') - size(null)).toBe(6);
  });
});

describe('a batch', () => {
  it('is cut at the limit, in its order, and what is larger goes alone', () => {
    const prepared = [10, 10, 500, 10, 10, 10].map((size, index) => ({
      message: { ...message, position: index + 1 },
      record: { topic: 't', key: null, value: 'x'.repeat(size), headers: {} },
    }));
    const cut = portionsOf(prepared, 110).map((portion) => portion.map((each) => each.message.position));
    expect(cut).toEqual([[1, 2], [3], [4, 5], [6]]);
  });
});

describe('an option', () => {
  const producer = { sendBatch: () => Promise.resolve([]) };

  it.each<[string, object]>([
    ['topic', {}],
    ['topic', { topic: '' }],
    ['topic', { topic: 7 }],
    ['key', { topic: 't', key: 'k' }],
    ['value', { topic: 't', value: 'v' }],
    ['headers', { topic: 't', headers: {} }],
    ['format', { topic: 't', format: 'avro' }],
    ['cloudEvents', { topic: 't', format: 'cloudevents' }],
    ['cloudEvents', { topic: 't', cloudEvents: { source: '/a' } }],
    ['source', { topic: 't', format: 'cloudevents', cloudEvents: {} }],
    ['cloudEvents.mode', { topic: 't', format: 'cloudevents', cloudEvents: { source: '/a', mode: 'x' } }],
    ['cloudEvents.nope', { topic: 't', format: 'cloudevents', cloudEvents: { source: '/a', nope: 1 } }],
    ['value', { topic: 't', format: 'cloudevents', cloudEvents: { source: '/a' }, value: () => '' }],
    ['maxRequestBytes', { topic: 't', maxRequestBytes: 10 }],
    ['acks', { topic: 't', acks: 1 }],
  ])('%s that is wrong is refused', (option, options) => {
    expect(() => kafkaPublisher(producer, options as Options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(option) as string }),
    );
  });

  it('object is asked for', () => {
    expect(() => kafkaPublisher(producer, undefined as never)).toThrow(/the options must be an object/);
  });
});

describe('a client', () => {
  it.each([undefined, null, {}, 'localhost:9092', { send: () => undefined }])(
    '%j is no producer of kafkajs',
    (client) => {
      expect(() => kafkaPublisher(client as never, { topic: 't' })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(/kafkajs/) as string }),
      );
    },
  );

  it('of kafkajs is none of platformatic', () => {
    const kafkajs = { send: () => undefined, sendBatch: () => undefined };
    expect(() => platformaticKafkaPublisher(kafkajs as never, { topic: 't' })).toThrow(/for kafkajs .* kafkaPublisher/);
  });

  it.each<[string, Record<string, string | number | boolean>, RegExp | undefined]>([
    ['idempotent', { 'enable.idempotence': true }, undefined],
    ['one in flight', { 'max.in.flight': 1 }, undefined],
    ['acks of all', { acks: 'all', 'enable.idempotence': 'true' }, undefined],
    ['acks of the leader alone', { acks: 1, 'max.in.flight': 1 }, /acks 1/],
    ['no acks', { 'request.required.acks': 0, 'max.in.flight': 1 }, /acks 0/],
    ['its defaults', {}, /neither idempotent/],
    ['five in flight', { 'max.in.flight': 5 }, /neither idempotent/],
  ])('of confluent with %s', (_name, config, problem) => {
    if (problem === undefined) expect(confluentProblem(config)).toBeUndefined();
    else expect(confluentProblem(config)).toMatch(problem);
  });
});
