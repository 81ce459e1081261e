import { describe, expect, it } from 'vitest';

import type { OutboxMessage } from '../../../../src/index.js';
import { webhookPublisher, type WebhookOptions } from '../../../../src/webhook.js';

const url = 'https://example.com/events';
const make = (options: unknown, to: unknown = url) =>
  webhookPublisher(to as string, options as WebhookOptions<OutboxMessage>);
const refusal = (text: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(text) as string }) as Error;

describe('the options of a webhook', () => {
  it.each<[object]>([
    [{}],
    [{ mode: 'batch', concurrency: 1, messagesPerRequest: 10_000, timeoutMs: 300_000, outageStatuses: [] }],
    [{ mode: undefined, secret: undefined, headers: undefined }],
    [{ secret: 'whsec_AQID' }],
    [{ secret: new Uint8Array([1]) }],
    [{ secret: ['whsec_AQI=', Buffer.from('a')] }],
    [{ headers: { authorization: 'Bearer x' } }],
    [{ headers: () => ({}) }],
    [{ subject: () => 'x', extensions: () => ({}) }],
  ])('are taken: %j', (options) => {
    expect(() => make({ source: '/orders', ...options })).not.toThrow();
  });

  it.each<[string, unknown]>([
    ['the options must be an object: got undefined', undefined],
    ['option source must be a text', {}],
    ['option retries is unknown', { source: '/', retries: 1 }],
    ['option mode must be "structured" or "binary" or "batch": got "plain"', { source: '/', mode: 'plain' }],
    ['option concurrency must be a whole number from 1 to 1000', { source: '/', concurrency: 0 }],
    ['option messagesPerRequest must be a whole number', { source: '/', messagesPerRequest: 0.5 }],
    ['option timeoutMs must be a whole number from 1 to 300000', { source: '/', timeoutMs: 300_001 }],
    ['option outageStatuses must be an array of statuses', { source: '/', outageStatuses: [500] }],
    ['option outageStatuses must be an array of statuses', { source: '/', outageStatuses: 404 }],
    ['option secret must be "whsec_" and the base64', { source: '/', secret: 'whsec_' }],
    ['option secret must be "whsec_" and the base64', { source: '/', secret: 'c2VjcmV0' }],
    ['option secret must be "whsec_" and the base64', { source: '/', secret: 'whsec_c2Vj!cmV0' }],
    ['option secret must be "whsec_" and the base64', { source: '/', secret: new Uint8Array() }],
    ['option secret must be "whsec_" and the base64', { source: '/', secret: null }],
    ['option secret must name at least one secret', { source: '/', secret: [] }],
    ['option headers must be an object of texts', { source: '/', headers: 'authorization: c2VjcmV0' }],
    [
      'option headers must hold names and values that HTTP allows: look at "authorization"',
      { source: '/', headers: { authorization: 'c2Vj\ncmV0' } },
    ],
    ['option headers must hold names and values that HTTP allows', { source: '/', headers: { 'a b': '' } }],
    ['option headers must hold names and values that HTTP allows', { source: '/', headers: { a: 5 } }],
  ])('are refused: %s', (text, options) => {
    expect(() => make(options)).toThrow(refusal(text));
    // A secret or a header's value is never in the text.
    expect(() => make(options)).not.toThrow(/c2VjcmV0|c2Vj[!\n]/);
  });

  it.each<[string, unknown]>([
    ['must be an absolute url', '/events'],
    ['must be an absolute url', null],
    ['must begin with https:// or http://', 'ftp://example.com/'],
    ['must hold no user and password', 'https://user@example.com/'],
    ['must hold no user and password', 'https://:c2VjcmV0@example.com/'],
  ])('the url is refused: %s', (text, to) => {
    expect(() => make({ source: '/' }, to)).toThrow(refusal(`option url ${text}`));
    expect(() => make({ source: '/' }, to)).not.toThrow(/c2VjcmV0/);
  });
});
