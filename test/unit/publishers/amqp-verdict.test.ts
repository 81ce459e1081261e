import { describe, expect, it } from 'vitest';

import type { AmqpMessage } from '../../../src/publishers/rabbitmq/amqp-message.js';
import { findReturned, type AmqpResult } from '../../../src/publishers/rabbitmq/amqp-session.js';
import { amqpVerdict, closeReason } from '../../../src/publishers/rabbitmq/amqp-verdict.js';
import { PermanentError, Unavailable } from '../../../src/verdict.js';

const message = (exchange: string, position = 1, size = 10): AmqpMessage => ({
  exchange,
  routingKey: 'key',
  content: Buffer.alloc(size),
  properties: {
    mandatory: true,
    deliveryMode: 2,
    contentType: 'application/json',
    timestamp: 0,
    headers: { id: `id-${position}`, position: String(position) },
  },
});
const serverError = (code: number | string, text: string) => Object.assign(new Error(text), { code });
const chosen = { exchange: false, routingKey: false };
const fixed = { exchange: true, routingKey: true };

const noExchange =
  "Channel closed by server: 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'a' in vhost '/'\"";
const tooLarge = 'PRECONDITION_FAILED - message size 20 is larger than configured max size 15';
const refused = "ACCESS_REFUSED - access to exchange 'a' in vhost '/' refused for user 'limited'";
const topicRefused = "ACCESS_REFUSED - access to topic 'key' in exchange 'a' in vhost '/' refused for user 'limited'";

describe('amqpVerdict', () => {
  const unknown: AmqpResult = { kind: 'unknown' };
  it.each([
    ['confirmed', message('a'), { kind: 'confirmed' } as const, undefined, chosen, undefined],
    [
      'returned, named by message',
      message('a'),
      { kind: 'returned', text: 'NO_ROUTE' } as const,
      undefined,
      chosen,
      PermanentError,
    ],
    [
      'returned, named once',
      message('a'),
      { kind: 'returned', text: 'NO_ROUTE' } as const,
      undefined,
      fixed,
      Unavailable,
    ],
    [
      'returned, one of the names by message',
      message('a'),
      { kind: 'returned', text: 'NO_ROUTE' } as const,
      undefined,
      { exchange: true, routingKey: false },
      PermanentError,
    ],
    ['nacked', message('a'), { kind: 'nacked' } as const, undefined, fixed, Unavailable],
    [
      'not encodable',
      message('a'),
      { kind: 'refused', error: new RangeError('x') } as const,
      undefined,
      fixed,
      PermanentError,
    ],
    ['closed without a reason', message('a'), unknown, undefined, chosen, Unavailable],
    ['no such exchange, its own', message('a'), unknown, serverError(404, noExchange), chosen, PermanentError],
    [
      'no such exchange, by name of the code',
      message('a'),
      unknown,
      serverError('NOT_FOUND', noExchange),
      chosen,
      PermanentError,
    ],
    ["no such exchange, another message's", message('b'), unknown, serverError(404, noExchange), chosen, Unavailable],
    ['no such exchange, named once', message('a'), unknown, serverError(404, noExchange), fixed, Unavailable],
    ['too large, itself', message('a', 1, 20), unknown, serverError(406, tooLarge), fixed, PermanentError],
    [
      'too large, another one',
      message('a', 1, 15),
      unknown,
      serverError('PRECONDITION_FAILED', tooLarge),
      fixed,
      Unavailable,
    ],
    ['refused, its own exchange', message('a'), unknown, serverError(403, refused), chosen, PermanentError],
    ["refused, another message's exchange", message('b'), unknown, serverError(403, refused), chosen, Unavailable],
    ['refused, named once', message('a'), unknown, serverError('ACCESS_REFUSED', refused), fixed, Unavailable],
    [
      'refused topic, key by message',
      message('a'),
      unknown,
      serverError(403, topicRefused),
      { exchange: true, routingKey: false },
      PermanentError,
    ],
    ['connection forced', message('a'), unknown, serverError(320, 'CONNECTION_FORCED - shutdown'), chosen, Unavailable],
    [
      'another failed precondition',
      message('a'),
      unknown,
      serverError(406, 'PRECONDITION_FAILED - unknown delivery tag'),
      chosen,
      Unavailable,
    ],
  ])('%s', (_, sent, result: AmqpResult, cause, names, expected) => {
    const closed = result.kind === 'unknown' ? { text: 'the channel was closed', cause } : undefined;
    const verdict = amqpVerdict(sent, result, closed, names);
    if (expected === undefined) expect(verdict).toBeUndefined();
    else expect(verdict).toBeInstanceOf(expected);
  });

  it('does not take the name of a user into its own text', () => {
    const verdict = amqpVerdict(message('a'), unknown, { text: '', cause: serverError(403, refused) }, fixed);
    expect(verdict?.message).not.toContain('limited');
  });
});

describe('closeReason', () => {
  it.each([[undefined], ['text'], [null], [42], [{ code: 403 }]])('bears whatever was thrown: %s', (cause) => {
    expect(closeReason(cause).text).toBe('');
  });
});

describe('findReturned', () => {
  const messages = [message('a', 1), message('a', 2), message('a', 2)];
  const returned = (position: string) => ({
    exchange: 'a',
    routingKey: 'key',
    replyText: 'NO_ROUTE',
    headers: { id: `id-${position}`, position },
  });
  const none = () => false;

  it('finds the message, and the second of two equal ones when the first is taken', () => {
    expect(findReturned(messages, returned('2'), none)).toBe(1);
    expect(findReturned(messages, returned('2'), (index) => index === 1)).toBe(2);
  });

  it('passes over what another publisher sent on the channel', () => {
    expect(findReturned(messages, returned('3'), none)).toBe(-1);
    expect(findReturned(messages, { ...returned('1'), exchange: 'b' }, none)).toBe(-1);
    expect(findReturned(messages, { ...returned('1'), headers: undefined }, none)).toBe(-1);
  });
});
