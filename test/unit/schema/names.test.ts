import { expect, it } from 'vitest';

import { checkName, collectionNames, inboxCollection } from '../../../src/schema/names.js';

it.each(['X', 'orders', '_x', 'Order.Service-Outbox_2', 'a'.repeat(100), 'pending', 'a.state.b', 'systemic'])(
  'takes the name %s',
  (name) => {
    expect(() => checkName(name)).not.toThrow();
  },
);

it.each([
  undefined,
  null,
  5,
  {},
  '',
  ' ',
  '5x',
  '.x',
  '-x',
  'a b',
  'a$b',
  'a\0b',
  'ä',
  'a/b',
  'a.',
  'a..b',
  'a\n',
  'a'.repeat(101),
  'system.x',
  'x.pending',
  'x.state',
  'x.failures',
  'x.inbox',
])('refuses the name %j', (name) => {
  expect(() => checkName(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
});

it('names the collections after the outbox', () => {
  expect(collectionNames('X')).toEqual({ log: 'X', pending: 'X.pending', state: 'X.state', failures: 'X.failures' });
  expect(inboxCollection('X')).toBe('X.inbox');
});

it('says whose name it refuses', () => {
  expect(() => checkName('5')).toThrow("an outbox's name");
  expect(() => checkName('5', 'inbox')).toThrow("an inbox's name");
});
