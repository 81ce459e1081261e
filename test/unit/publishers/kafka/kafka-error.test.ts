import { describe, expect, it } from 'vitest';

import { kafkaErrorKind, type KafkaErrorKind } from '../../../../src/publishers/kafka/kafka-error.js';

/** An error with these properties, as the clients make them. */
function errorOf(properties: object): Error {
  return Object.assign(new Error('as seen'), properties);
}

describe('what an error says', () => {
  it.each<[string, object, KafkaErrorKind]>([
    [
      'kafkajs: too large',
      { name: 'KafkaJSProtocolError', type: 'MESSAGE_TOO_LARGE', retriable: false },
      'record refused',
    ],
    [
      'kafkajs: a compacted topic without a key',
      { name: 'KafkaJSProtocolError', type: 'INVALID_RECORD' },
      'record refused',
    ],
    [
      'kafkajs: no such topic',
      { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true },
      'topic refused',
    ],
    ['kafkajs: not allowed', { name: 'KafkaJSProtocolError', type: 'TOPIC_AUTHORIZATION_FAILED' }, 'topic refused'],
    ['kafkajs: no answer', { name: 'KafkaJSRequestTimeoutError', retriable: true }, 'unavailable'],
    [
      'kafkajs: given up',
      { name: 'KafkaJSNonRetriableError', retriable: false, cause: errorOf({ code: 'ECONNREFUSED' }) },
      'unavailable',
    ],
    [
      'kafkajs: given up, for its reason',
      { name: 'KafkaJSNumberOfRetriesExceeded', cause: errorOf({ type: 'UNKNOWN_TOPIC_OR_PARTITION' }) },
      'topic refused',
    ],
    ['kafkajs: disconnected', { name: 'KafkaJSError', retriable: true }, 'unavailable'],
    ['confluent: too large for its own limit', { code: 10 }, 'record refused'],
    ['confluent: too large for the broker', { type: 'ERR_MSG_SIZE_TOO_LARGE', code: 10 }, 'record refused'],
    ['confluent: not allowed', { code: 29 }, 'topic refused'],
    ['confluent: no such topic', { code: -188 }, 'topic refused'],
    ['confluent: timed out', { code: -192, type: 'ERR__MSG_TIMED_OUT' }, 'unavailable'],
    ['confluent: all brokers down', { code: -187 }, 'unavailable'],
    [
      'platformatic: too large',
      {
        code: 'PLT_KFK_MULTIPLE',
        errors: [
          errorOf({
            code: 'PLT_KFK_RESPONSE',
            errors: [errorOf({ code: 'PLT_KFK_PROTOCOL', apiId: 'MESSAGE_TOO_LARGE' })],
          }),
        ],
      },
      'record refused',
    ],
    [
      'platformatic: one broker is down, and one record is too large',
      {
        code: 'PLT_KFK_MULTIPLE',
        errors: [errorOf({ code: 'PLT_KFK_NETWORK' }), errorOf({ apiId: 'MESSAGE_TOO_LARGE' })],
      },
      'record refused',
    ],
    ['platformatic: network', { code: 'PLT_KFK_NETWORK', canRetry: true }, 'unavailable'],
    ['platformatic: credentials', { code: 'PLT_KFK_AUTHENTICATION', canRetry: false }, 'topic refused'],
    ['platformatic: no such topic', { code: 'PLT_KFK_USER', message: 'Unknown topic orders.' }, 'topic refused'],
    ['platformatic: another mistake', { code: 'PLT_KFK_USER', message: 'Cannot begin a transaction' }, 'unknown'],
    ['a socket', { code: 'ECONNRESET' }, 'unavailable'],
    ['anything else', {}, 'unknown'],
    ['a code of somebody else', { code: 'ERR_INVALID_ARG_TYPE' }, 'unknown'],
    ['a name that every object has', { type: 'constructor', code: 'toString' }, 'unknown'],
  ])('%s', (_name, properties, kind) => {
    expect(kafkaErrorKind(errorOf(properties))).toBe(kind);
  });

  it('errors that name each other as the cause do no harm', () => {
    const [one, other] = [errorOf({}), errorOf({})];
    Object.assign(one, { cause: other });
    Object.assign(other, { cause: one });
    expect(kafkaErrorKind(one)).toBe('unknown');
  });

  it.each([undefined, null, 'text', 7])('what is no error (%s) says nothing', (thrown) => {
    expect(kafkaErrorKind(thrown)).toBe('unknown');
  });
});
