import { describe, expect, it } from 'vitest';

import { expectSound, foundIn } from './found.js';
import { retentionAsBuilt, retentionModel, type RetentionBounds, type RetentionRules } from './retention.js';

/** One sequencer, and one consumer that is to be registered. */
const small: RetentionBounds = { cap: 4, appends: 3, sequencers: 1, consumers: [null], strays: 0, kills: 0 };
const model = (rules: Partial<RetentionRules>, bounds: Partial<RetentionBounds>) =>
  retentionModel({ ...retentionAsBuilt, ...rules }, { ...small, ...bounds });
const broken = 'nothing unpassed is overwritten';

describe('a full log and consumers that register, go on and rewind', () => {
  it.each<{ when: string; bounds: Partial<RetentionBounds>; least: number }>([
    { when: 'one of each', bounds: {}, least: 1_500 },
    { when: 'two sequencers', bounds: { sequencers: 2, appends: 2 }, least: 30_000 },
    { when: 'another consumer', bounds: { consumers: [2, null], appends: 2 }, least: 30_000 },
    { when: 'a stray entry', bounds: { strays: 1 }, least: 3_000 },
    { when: 'a server that is killed and counts too many', bounds: { kills: 1 }, least: 3_000 },
    { when: 'both', bounds: { strays: 1, kills: 1 }, least: 5_000 },
  ])('with $when', ({ bounds, least }) => expectSound(model({}, bounds), least));

  it.each<{ mistake: string; rules: Partial<RetentionRules>; bounds?: Partial<RetentionBounds> }>([
    { mistake: 'there is no floor', rules: { floor: false } },
    { mistake: 'the lowest checkpoint is read before the transaction', rules: { lowestRead: 'before' } },
    { mistake: 'who registers changes nothing in the floor', rules: { touch: 'changes nothing' } },
    { mistake: 'no room is kept for stray entries', rules: { reserve: false }, bounds: { strays: 1 } },
    { mistake: 'a server that was killed is not noticed', rules: { noticesKills: false }, bounds: { kills: 1 } },
  ])('goes wrong where $mistake', ({ rules, bounds = {} }) => {
    expect(foundIn(model(rules, bounds))).toBe(broken);
  });
});
