import { describe, expect, it } from 'vitest';

import { toErrorInfo } from '../../../src/consumer/error-info.js';
import { OutboxError } from '../../../src/errors.js';
import { PermanentError } from '../../../src/verdict.js';

class Refused extends Error {
  override name = 'Refused';
  code = 503;
}

describe('an error is kept with', () => {
  it.each<[what: string, error: unknown, expected: object]>([
    ['name and message', new TypeError('no'), { name: 'TypeError', message: 'no' }],
    ['a numeric code', new Refused('no'), { name: 'Refused', message: 'no', code: 503 }],
    ['a code of ours', new OutboxError('CLOSED', 'no'), { name: 'OutboxError', message: 'no', code: 'CLOSED' }],
    ['the name of a verdict', new PermanentError('no'), { name: 'PermanentError', message: 'no' }],
    ['the text of a string', 'no', { name: 'Error', message: 'no (string, not an Error)' }],
    ['undefined', undefined, { name: 'Error', message: 'undefined (undefined, not an Error)' }],
    ['null', null, { name: 'Error', message: 'null (object, not an Error)' }],
    ['a number', 5, { name: 'Error', message: '5 (number, not an Error)' }],
    ['a symbol', Symbol('no'), { name: 'Error', message: 'Symbol(no) (symbol, not an Error)' }],
    ['the class of an object', new Date(0), { name: 'Date', message: 'something without a message was thrown' }],
    ['no class', Object.create(null), { name: 'Object', message: 'something without a message was thrown' }],
    ['fields of an object', { name: 'N', message: 'M', code: 'C' }, { name: 'N', message: 'M', code: 'C' }],
    ['nothing of a code that is an object', { message: 'M', code: { secret: 1 } }, { name: 'Object', message: 'M' }],
    ['its class where the name is empty', Object.assign(new Error('M'), { name: '' }), { name: 'Error', message: 'M' }],
  ])('%s', (_what, error, expected) => {
    const { stack, ...info } = toErrorInfo(error);
    expect(info).toEqual(expected);
    expect(typeof stack).toBe(error instanceof Error ? 'string' : 'undefined');
  });

  it('a stack of a few lines, and a text of a few thousand characters', () => {
    const error = new Error('x'.repeat(5_000));
    error.stack = Array.from({ length: 100 }, (_, line) => `at line ${line}`).join('\n');
    const { message, stack } = toErrorInfo(error);
    expect(message).toHaveLength(2_001);
    expect(message.endsWith('…')).toBe(true);
    expect(stack?.split('\n')).toHaveLength(12);
    const long = Object.assign(new Error('m'), { stack: 'y'.repeat(5_000), name: 'z'.repeat(5_000) });
    expect(toErrorInfo(long).stack).toHaveLength(2_001);
    expect(toErrorInfo(long).name).toHaveLength(2_001);
  });

  it.each([
    ['mongodb://user:secret@host/db', 'mongodb://***@host/db'],
    ['mongodb+srv://user:secret@host', 'mongodb+srv://***@host'],
    ['amqps://secret@host', 'amqps://***@host'],
    ['twice: redis://:secret@a and https://u:secret@b', 'twice: redis://***@a and https://***@b'],
    ['no credentials: https://host/path@1', 'no credentials: https://host/path@1'],
  ])('no credentials: %s', (text, expected) => {
    const error = new Error(text);
    const { message, stack } = toErrorInfo(error);
    expect(message).toBe(expected);
    expect(stack).toContain(expected);
    expect(stack).not.toContain('secret');
    expect(toErrorInfo(text).message).toContain(expected);
  });

  it('no part of a password that has an @ in it', () => {
    expect(toErrorInfo(new Error('mongodb://user:p@secret@host/db')).message).toBe('mongodb://***@host/db');
  });

  it('something, also where the thrown object does not let itself be looked at', () => {
    const hostile = {
      get message() {
        throw new Error('no');
      },
    };
    expect(toErrorInfo(hostile)).toEqual({ name: 'Error', message: 'something was thrown that can not be read' });
  });
});
