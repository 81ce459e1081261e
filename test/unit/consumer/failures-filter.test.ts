import { describe, expect, it } from 'vitest';

import { checkFailureFilter } from '../../../src/consumer/failures.js';

const refusal = (named: string) =>
  expect.objectContaining({ code: 'INVALID_FILTER', message: expect.stringContaining(named) as string }) as Error;
const check = (filter: unknown, mayBeEmpty = true) => {
  checkFailureFilter(filter, mayBeEmpty);
};

describe('a filter of failures', () => {
  it.each([
    [{ consumer: 'c' }],
    [{ state: 'retrying' }],
    [{ state: 'queued' }],
    [{ state: 'dead' }],
    [{ type: 't' }],
    [{ key: '' }],
    [{ ids: ['a', 'b'] }],
    [{ ids: [] }],
    [{ positions: [1, 2] }],
    [{ positions: [] }],
    [{ all: true }],
    [{ all: true, limit: 1 }],
    [{ consumer: 'c', state: 'dead', type: 't', key: 'k', ids: ['a'], positions: [1], limit: 10_000 }],
    [{ consumer: 'c', after: { consumer: 'c', position: 5 } }],
    [{ consumer: 'c', after: { consumer: null, position: null } }],
    [{ consumer: 'c', key: undefined }],
  ])('may be %o, also to retry or discard by', (filter) => {
    expect(() => check(filter, false)).not.toThrow();
    expect(() => check(filter)).not.toThrow();
  });

  it.each([
    [{}],
    [{ limit: 5 }],
    [{ after: { consumer: 'c', position: 5 } }],
    [{ consumer: undefined }],
    [{ all: undefined }],
  ])('that narrows nothing is for listing alone: %o', (filter) => {
    expect(() => check(filter)).not.toThrow();
    expect(() => check(filter, false)).toThrow(refusal('all: true'));
  });

  it.each<[filter: unknown, named: string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [[], 'an array'],
    ['dead', '"dead"'],
    [{ id: 'a' }, '"id"'],
    [{ states: ['dead'] }, '"states"'],
    [{ id: undefined }, '"id"'],
    [{ consumer: 5 }, 'consumer'],
    [{ consumer: null }, 'consumer'],
    [{ type: ['t'] }, 'type'],
    [{ key: { $ne: 'k' } }, 'key'],
    [{ state: 'lost' }, 'state'],
    [{ state: ['dead'] }, 'state'],
    [{ ids: 'a' }, 'ids'],
    [{ ids: [5] }, 'ids'],
    [{ ids: { $in: ['a'] } }, 'ids'],
    [{ positions: 5 }, 'positions'],
    [{ positions: ['5'] }, 'positions'],
    [{ positions: [0.5] }, 'positions'],
    [{ all: false }, 'all'],
    [{ all: 0 }, 'all'],
    [{ all: null }, 'all'],
    [{ all: true, limit: 0 }, 'limit'],
    [{ all: true, limit: 10_001 }, 'limit'],
    [{ all: true, limit: 1.5 }, 'limit'],
    [{ all: true, limit: '5' }, 'limit'],
    [{ all: true, after: 5 }, 'after'],
    [{ all: true, after: {} }, 'after'],
    [{ all: true, after: { consumer: 'c', position: null } }, 'after'],
    [{ all: true, after: { consumer: null, position: 5 } }, 'after'],
    [{ all: true, after: { consumer: 'c', position: '5' } }, 'after'],
  ])('is not %o', (filter, named) => {
    for (const mayBeEmpty of [true, false]) expect(() => check(filter, mayBeEmpty)).toThrow(refusal(named));
  });

  it.each([[{ all: 'yes' }], [{ all: 1 }]])('says all with nothing but true: %o', (filter) => {
    expect(() => check(filter)).toThrow(refusal('all'));
  });
});
