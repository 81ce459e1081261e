import { describe, expect, it } from 'vitest';

import type { CloudEventOptions } from '../../../src/cloudevents.js';
import { fromCloudEvent, toCloudEvent } from '../../../src/cloudevents.js';
import { PermanentError, type OutboxMessage } from '../../../src/index.js';
import { delivered } from '../../support/delivered.js';

type Options = CloudEventOptions<OutboxMessage>;
const options: Options = { source: '/orders' };
const refusal = (text: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(text) as string }) as Error;

describe('a message as a CloudEvent', () => {
  it('has the attributes of the specification, the extensions and the data', () => {
    const message = delivered({
      key: 'order 7',
      position: 2 ** 40,
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'a=1',
        tenant: 'x',
      },
    });
    expect(toCloudEvent(message, { source: ({ type }) => `/${type}`, subject: ({ id }) => `about ${id}` })).toEqual({
      specversion: '1.0',
      id: 'id-1',
      source: '/order_created',
      type: 'order_created',
      subject: 'about id-1',
      time: '2026-01-02T03:04:05.678Z',
      datacontenttype: 'application/json',
      partitionkey: 'order 7',
      position: '1099511627776',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      tenant: 'x',
      data: { ordernr: 7 },
    });
  });

  it('has no attribute for what the message does not have', () => {
    expect(Object.keys(toCloudEvent(delivered(), options))).toEqual([
      'specversion',
      'id',
      'source',
      'type',
      'time',
      'datacontenttype',
      'position',
      'data',
    ]);
  });

  it.each([
    ['x-request-id', '1'],
    ['Tenant', '1'],
    ['a_b', '1'],
    ['ä', '1'],
    ['__proto__', '1'],
    ['a'.repeat(21), '1'],
    ['id', 'another'],
    ['data', 'another'],
    ['time', 'another'],
    ['position', 'another'],
    ['partitionkey', 'another'],
    ['schemaurl', 'another'],
    ['tenant', 'two\nlines'],
    ['tenant', null as unknown as string],
    ['tenant', undefined as unknown as string],
    ['traceparent', 'two\nlines'],
  ])('leaves out the header %s: %j', (name, value) => {
    const headers = Object.fromEntries([[name, value]]);
    expect(toCloudEvent(delivered({ headers }), options)).toEqual(toCloudEvent(delivered(), options));
  });

  it('takes extensions of a function instead of headers, trace context excepted', () => {
    const message = delivered({ headers: { tenant: 'x', traceparent: 'trace' } });
    const event = toCloudEvent(message, {
      ...options,
      extensions: ({ headers }) => ({
        customer: headers['tenant'],
        count: 3,
        urgent: false,
        none: undefined,
        ['a'.repeat(30)]: '',
      }),
    });
    expect(event).toMatchObject({ customer: 'x', count: 3, urgent: false, traceparent: 'trace', ['a'.repeat(30)]: '' });
    expect(event).not.toHaveProperty('tenant');
    expect(event).not.toHaveProperty('none');
  });

  it.each<[string, Partial<Options>, Parameters<typeof delivered>[0]]>([
    ['an id with a control character', {}, { id: 'a\u0007' }],
    ['a key with a control character', {}, { key: 'a\u0085' }],
    ['a subject with a lone surrogate', { subject: () => 'a\ud800' }, {}],
    ['a source that is no URI reference', { source: () => 'my orders' }, {}],
    ['an empty source', { source: () => '' }, {}],
    ['an empty subject', { subject: () => '' }, {}],
    ['an extension with an illegal name', { extensions: () => ({ 'x-a': '1' }) }, {}],
    ['an extension with the name of an attribute', { extensions: () => ({ id: '1' }) }, {}],
    ['an extension that is more than 32 bits', { extensions: () => ({ a: 2 ** 31 }) }, {}],
    ['an extension that is no whole number', { extensions: () => ({ a: 0.5 }) }, {}],
    ['an extension with a control character', { extensions: () => ({ a: '\0' }) }, {}],
  ])('fails for good for %s', (_, changed, message) => {
    expect(() => toCloudEvent(delivered(message), { ...options, ...changed })).toThrow(PermanentError);
  });

  it.each<[string, unknown]>([
    ['the options must be an object', undefined],
    ['option source must be a text', {}],
    ['option source must be a text', { source: '' }],
    ['option source must be a URI reference', { source: 'my orders' }],
    ['option source must be a URI reference', { source: '/%4' }],
    ['option subject must be a text', { source: '/', subject: 5 }],
    ['option extensions must be a function', { source: '/', extensions: {} }],
    ['option sourc is unknown', { sourc: '/' }],
  ])('refuses options: %s', (text, given) => {
    expect(() => toCloudEvent(delivered(), given as Options)).toThrow(refusal(text));
  });
});

describe('the way back', () => {
  it('leaves out what an event of others says in another form', () => {
    const event = {
      specversion: '1.0',
      id: 'a',
      source: '/',
      type: 't',
      time: 'noon',
      position: 'first',
      n: 5,
      b: true,
    } as const;
    expect(fromCloudEvent(event)).toEqual({
      id: 'a',
      type: 't',
      source: '/',
      data: undefined,
      headers: { n: '5', b: 'true' },
    });
  });
});
