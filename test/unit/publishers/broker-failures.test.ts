import { describe, expect, it } from 'vitest';

import { natsFailure } from '../../../src/publishers/nats/nats-failure.js';
import { NatsHeaders } from '../../../src/publishers/nats/nats-headers.js';
import { isSubject } from '../../../src/publishers/nats/nats-options.js';
import { redisFailure, withoutCommand } from '../../../src/publishers/redis/redis-failure.js';
import { PermanentError } from '../../../src/verdict.js';

const error = (message: string, more: object = {}) => Object.assign(new Error(message), more);

describe('natsFailure', () => {
  const api = (code: number, errCode: number) => ({ code, err_code: errCode });
  it.each([
    ['nats 2: too large for the server', error('x', { code: 'MAX_PAYLOAD_EXCEEDED' }), 'refused'],
    [
      '3: too large for the server',
      error("'payload' max_payload size exceeded", { name: 'InvalidArgumentError' }),
      'refused',
    ],
    ['another wrong argument', error("'timeout' must be greater than 0", { name: 'InvalidArgumentError' }), 'outage'],
    ['nats 2: no subject', error('x', { code: 'BAD_SUBJECT' }), 'refused'],
    ['3: no subject', error('x', { name: 'InvalidSubjectError' }), 'refused'],
    ['nats 2: too large for the stream', error('x', { code: '400', api_error: api(400, 10_054) }), 'refused'],
    ['3: too large for the stream', error('x', { apiError: () => api(400, 10_054) }), 'refused'],
    ['wrong last sequence', error('x', { apiError: () => api(400, 10_071) }), 'own'],
    ['stream is full', error('x', { api_error: api(503, 10_077) }), 'outage'],
    ['out of disk', error('x', { apiError: () => api(500, 10_047) }), 'outage'],
    ['too many requests', error('x', { apiError: () => api(429, 10_167) }), 'outage'],
    ['nats 2: no responders', error('503', { code: '503' }), 'no-responders'],
    [
      '3: no responders',
      error('jetstream is not enabled', {
        name: 'JetStreamNotEnabled',
        cause: error('x', { name: 'RequestError', cause: error('x', { name: 'NoResponders' }) }),
      }),
      'no-responders',
    ],
    ['nats 2: denied', error('x', { code: 'PERMISSIONS_VIOLATION' }), 'denied'],
    [
      '3: denied',
      error('x', { name: 'RequestError', cause: error('x', { name: 'PermissionViolationError' }) }),
      'denied',
    ],
    ['nats 2: timeout', error('TIMEOUT', { code: 'TIMEOUT' }), 'outage'],
    ['3: timeout', error('timeout', { name: 'TimeoutError' }), 'outage'],
    ['closed', error('closed connection', { name: 'ClosedConnectionError' }), 'outage'],
    ['no error', 'text', 'outage'],
    ['nothing', undefined, 'outage'],
  ])('%s', (_, thrown, expected) => {
    expect(natsFailure(thrown)).toBe(expected);
  });
});

describe('isSubject', () => {
  it.each(['a', 'a.b', 'orders.ä.1', '$JS.x'])('takes %s', (text) => expect(isSubject(text)).toBe(true));
  it.each(['', '.', 'a.', '.a', 'a..b', 'a b', 'a.*', '>', 'a.>', 'a\r\nb'])('refuses %j', (text) =>
    expect(isSubject(text)).toBe(false),
  );
});

describe('NatsHeaders', () => {
  it('writes them as the protocol has them', () => {
    const headers = new NatsHeaders({ id: 'a/ä€', empty: '' });
    headers.set('Nats-Msg-Id', 'a');
    expect(Buffer.from(headers.encode()).toString()).toBe('NATS/1.0\r\nid: a/ä€\r\nempty: \r\nNats-Msg-Id: a\r\n\r\n');
    expect([headers.get('id'), headers.has('id'), headers.get('none'), headers.has('none')]).toEqual([
      'a/ä€',
      true,
      '',
      false,
    ]);
  });

  it.each([
    { note: 'a\r\nb' },
    { note: 'a\nb' },
    { 'a:b': '' },
    { 'a b': '' },
    { 'a\r\nb': '' },
    { '': '' },
    { ä: '' },
  ])('refuses %j', (headers) => {
    expect(() => new NatsHeaders(headers as Record<string, string>)).toThrow(PermanentError);
  });
});

describe('redisFailure', () => {
  it.each([
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'wrong-type'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'denied'],
    ["NOPERM User limited has no permissions to access the 'x' key", 'denied'],
    ["NOPERM this user has no permissions to run the 'xadd' command", 'outage'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'outage'],
    ["READONLY You can't write against a read only replica.", 'outage'],
    ['LOADING Redis is loading the dataset in memory', 'outage'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'outage'],
    ['CLUSTERDOWN The cluster is down', 'outage'],
    ['NOREPLICAS Not enough good replicas to write.', 'outage'],
    ['MISCONF Redis is configured to save RDB snapshots', 'outage'],
    ['NOAUTH Authentication required.', 'outage'],
    ['MOVED 1 127.0.0.1:7000', 'outage'],
    ["ERR unknown command 'XADD', with args beginning with: 'a'", 'outage'],
    ['ERR max number of clients reached', 'outage'],
    ['ERR The stream has exhausted the last possible ID, unable to add more items', 'own'],
    ['Connection is closed.', 'outage'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'outage'],
    ['Socket closed unexpectedly', 'outage'],
    ['Reached the max retries per request limit', 'outage'],
  ])('%s', (text, expected) => {
    expect(redisFailure(new Error(text))).toBe(expected);
  });

  it('takes whatever else was thrown for an outage', () => {
    expect(redisFailure(undefined)).toBe('outage');
  });
});

describe('withoutCommand', () => {
  it('takes the payload out of an error', () => {
    const command = { name: 'xadd', args: ['stream', '*', 'data', 'payload'] };
    const bare = withoutCommand(error('OOM no', { name: 'ReplyError', command })) as Error;
    expect([bare.name, bare.message, 'command' in bare]).toEqual(['ReplyError', 'OOM no', false]);
    const unknown = error("ERR unknown command 'XADD', with args beginning with: 'stream' 'payload' ");
    expect((withoutCommand(unknown) as Error).message).toBe("ERR unknown command 'XADD'");
  });

  it('leaves others as they are', () => {
    const closed = error('Connection is closed.');
    expect(withoutCommand(closed)).toBe(closed);
  });
});
