import { expect, it } from 'vitest';

import { checkMessageId, messageIdOf } from '../../../src/schema/message-id.js';

it.each(['1', ' ', '$at', 'a.b', 'ä', '😀', 'a\0b', '6566…', 'x'.repeat(1_000), '😀'.repeat(500)])(
  'takes the id %j',
  (id) => {
    expect(() => checkMessageId(id)).not.toThrow();
    expect(messageIdOf({ id, other: 1 })).toBe(id);
  },
);

it.each<[unknown, string]>([
  [undefined, 'got undefined'],
  [null, 'got null'],
  [5, 'got 5'],
  [5n, 'got 5'],
  [{ $gt: '' }, 'got an object of Object'],
  [['1'], 'got an array'],
  [Buffer.from('1'), 'got an object of Buffer'],
  ['', 'got an empty string'],
  ['x'.repeat(1_001), 'at most 1000 characters: got 1001'],
  ['😀'.repeat(501), 'at most 1000 characters: got 1002'],
  ['a\ud800', 'well-formed'],
  ['\udc00a', 'well-formed'],
])('refuses the id %o, and says what it got', (id, text) => {
  const refusal = expect.objectContaining({
    code: 'INVALID_MESSAGE',
    message: expect.stringContaining(text) as string,
  }) as Error;
  expect(() => checkMessageId(id)).toThrow(refusal);
  expect(() => messageIdOf({ id })).toThrow(refusal);
});

it.each([undefined, null, 'id', 5])('takes no id of what is no message: %j', (message) => {
  expect(() => messageIdOf(message)).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }) as Error);
});
