import { describe, expect, it } from 'vitest';

import { consumerModel } from './consumer/model.js';
import { consumerAsBuilt, type ConsumerBounds, type ConsumerRules } from './consumer/rules.js';
import { expectSound, foundIn } from './found.js';

/** Two messages of one key, two owners one after the other, one failure. */
const small: ConsumerBounds = {
  keys: 'aa',
  ids: '12',
  window: 2,
  owners: 2,
  epochs: 2,
  faults: 1,
  flights: 0,
  closes: 0,
  rewinds: 0,
  removals: 0,
};
const model = (rules: Partial<ConsumerRules>, bounds: Partial<ConsumerBounds>) =>
  consumerModel({ ...consumerAsBuilt, ...rules }, { ...small, ...bounds });
const twoKeys = { keys: 'aab', ids: '123' };

const passed = 'the checkpoint passes only what is handled or set aside';
const order = 'messages of a key come in order';
const repeats = 'no more than the window repeats';

describe('owners of a consumer, each of which may believe to be the only one', () => {
  it.each<{ when: string; bounds: Partial<ConsumerBounds>; least: number }>([
    { when: 'a message that is given up', bounds: { faults: 2 }, least: 80_000 },
    { when: 'two keys and a window of one', bounds: { ...twoKeys, window: 1 }, least: 40_000 },
    { when: 'two keys and three owners after each other', bounds: { ...twoKeys, owners: 1, epochs: 3 }, least: 25_000 },
    { when: 'late writes', bounds: { window: 1, flights: 1, faults: 0, epochs: 3 }, least: 25_000 },
    { when: 'late writes after a failure', bounds: { flights: 1, owners: 1 }, least: 5_000 },
    { when: 'an end in peace', bounds: { ...twoKeys, closes: 1, faults: 0 }, least: 20_000 },
    { when: 'a rewind', bounds: { rewinds: 1 }, least: 50_000 },
    { when: 'a removal', bounds: { removals: 1, epochs: 3, faults: 0 }, least: 50_000 },
  ])('with $when', ({ bounds, least }) => expectSound(model({}, bounds), least));

  it.each<{ mistake: string; rules: Partial<ConsumerRules>; bounds?: Partial<ConsumerBounds>; broken: string }>([
    {
      mistake: 'a checkpoint is set whoever writes it',
      rules: { checkpoint: 'always' },
      bounds: { rewinds: 1 },
      broken: passed,
    },
    { mistake: 'a message is passed when it is begun', rules: { passes: 'begun' }, broken: passed },
    {
      mistake: 'messages are set aside without a fence',
      rules: { failures: 'beside' },
      bounds: { rewinds: 1 },
      broken: order,
    },
    {
      mistake: 'the fence changes nothing',
      rules: { fence: 'changes nothing' },
      bounds: { window: 1 },
      broken: repeats,
    },
    {
      mistake: 'a takeover reads the position before it writes its epoch',
      rules: { takeover: 'reads the position' },
      bounds: { window: 1, faults: 0, rewinds: 1, epochs: 3 },
      broken: passed,
    },
    {
      mistake: 'a message with a failure of its own is run from the log as well',
      rules: { failed: 'run' },
      bounds: { keys: 'ab', owners: 1 },
      broken: repeats,
    },
    { mistake: 'messages do not wait for failures of their key', rules: { queues: false }, broken: order },
    {
      mistake: 'there is no window',
      rules: { window: false },
      bounds: { keys: 'abc', ids: '123' },
      broken: repeats,
    },
    {
      mistake: 'failures are told apart by id',
      rules: { record: 'id' },
      bounds: { keys: 'ab', ids: '11', faults: 2 },
      broken: passed,
    },
    {
      mistake: 'a removal forgets the lease',
      rules: { remove: 'forgets' },
      bounds: { removals: 1, epochs: 3, faults: 0 },
      broken: passed,
    },
  ])('goes wrong where $mistake', ({ rules, bounds = {}, broken }) => {
    expect(foundIn(model(rules, bounds))).toBe(broken);
  });

  it('repeats nothing after an end in peace, unless an earlier write that arrives last counts', () => {
    const bounds = { keys: 'ab', owners: 1, epochs: 1, flights: 1, closes: 1, faults: 0 };
    expectSound(model({}, bounds), 300);
    expect(foundIn(model({ writes: 'what arrives last' }, bounds))).toBe(repeats);
  });
});
