import { describe, expect, it } from 'vitest';

import { consumerState, toConsumerInfo } from '../../../src/consumer/consumer-info.js';
import type { ConsumerInfo } from '../../../src/handler.js';
import type { StoredConsumer } from '../../../src/store/list-consumers.js';

type State = ConsumerInfo['state'];

describe('the state', () => {
  it.each<[paused: boolean, alive: boolean, told: State | undefined, standsBy: boolean, expected: State]>([
    [false, true, undefined, false, 'running'],
    [false, true, 'running', false, 'running'],
    [false, true, 'backing-off', true, 'backing-off'],
    [false, true, 'blocked', false, 'blocked'],
    // What the owner before told at its end.
    [false, true, 'stopped', false, 'running'],
    [false, false, undefined, false, 'stopped'],
    [false, false, undefined, true, 'standby'],
    [false, false, 'running', false, 'stopped'],
    [false, false, 'running', true, 'standby'],
    [false, false, 'backing-off', false, 'stopped'],
    [false, false, 'stopped', true, 'standby'],
    [false, false, 'blocked', true, 'blocked'],
    [false, false, 'blocked', false, 'blocked'],
    [true, false, 'running', true, 'paused'],
    [true, true, 'running', false, 'paused'],
    [true, false, 'blocked', false, 'paused'],
  ])('paused %s, alive %s, told %s, stands by %s: %s', (paused, alive, told, standsBy, expected) => {
    expect(consumerState(paused, alive, told, standsBy)).toBe(expected);
  });
});

describe('what is told of a consumer', () => {
  const now = new Date('2030-01-01T00:00:10Z');
  const secondsAgo = (seconds: number) => new Date(now.getTime() - seconds * 1_000);
  const stored: StoredConsumer = {
    name: 'relay',
    position: 40,
    checkpointAt: secondsAgo(3),
    owner: 'host:1:a',
    epoch: 7,
    alive: true,
    renewedAt: secondsAgo(1),
    report: {
      epoch: 7,
      state: 'backing-off',
      lastError: { name: 'Error', message: 'down' },
      inFlight: [{ position: 41, id: 'x', attempt: 1, sinceMs: 5 }],
    },
    paused: null,
    retrying: 2,
    dead: 1,
    oldestWaiting: secondsAgo(4),
  };

  it('is what it has stored, what its owner told, and what that means by now', () => {
    expect(toConsumerInfo(stored, 50, now, false)).toEqual({
      name: 'relay',
      position: 40,
      lag: 10,
      lagMs: 4_000,
      state: 'backing-off',
      owner: 'host:1:a',
      epoch: 7,
      retrying: 2,
      dead: 1,
      lastError: { name: 'Error', message: 'down' },
      paused: null,
      inFlight: [{ position: 41, id: 'x', attempt: 1, sinceMs: 5 }],
      updatedAt: secondsAgo(1),
    });
  });

  it('is not what the owner before told, but for its last error', () => {
    const info = toConsumerInfo({ ...stored, epoch: 8 }, 50, now, false);
    expect(info).toMatchObject({ state: 'running', owner: 'host:1:a', inFlight: [], lastError: { message: 'down' } });
  });

  it('names no owner, and nothing in flight, where that is dead; its last error is kept', () => {
    const info = toConsumerInfo({ ...stored, alive: false }, 50, now, false);
    expect(info).toMatchObject({ state: 'stopped', owner: null, inFlight: [], lastError: { message: 'down' } });
  });

  it('says since when it is paused', () => {
    const paused = { by: 'ops', reason: 'migration', at: secondsAgo(60) };
    expect(toConsumerInfo({ ...stored, alive: false, paused }, 50, now, false)).toMatchObject({
      state: 'paused',
      paused,
    });
  });

  it.each<[what: string, change: Partial<StoredConsumer>, newest: number, expected: Partial<ConsumerInfo>]>([
    ['nothing waits', { oldestWaiting: undefined }, 40, { lag: 0, lagMs: 0 }],
    ['the log was read before the checkpoint', {}, 35, { lag: 0, lagMs: 0 }],
    ['what waits came after the clock was read', { oldestWaiting: secondsAgo(-1) }, 41, { lag: 1, lagMs: 0 }],
    ['the oldest that waits was not found', { oldestWaiting: undefined }, 41, { lag: 1, lagMs: 0 }],
    ['nothing was ever told', { report: null }, 41, { state: 'running', lastError: null, inFlight: [] }],
    [
      'the owner before told it',
      { epoch: 8 },
      41,
      { state: 'running', lastError: { name: 'Error', message: 'down' }, inFlight: [] },
    ],
    ['the checkpoint is newer than the renewal', { checkpointAt: now }, 41, { updatedAt: now }],
    ['nobody ever renewed', { renewedAt: undefined }, 41, { updatedAt: secondsAgo(3) }],
  ])('where %s', (_what, change, newest, expected) => {
    expect(toConsumerInfo({ ...stored, ...change }, newest, now, false)).toMatchObject(expected);
  });
});
