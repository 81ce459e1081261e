import { describe, expect, it } from 'vitest';

import { expectSound, foundIn } from './found.js';
import {
  transactionalAsBuilt,
  transactionalModel,
  type TransactionalBounds,
  type TransactionalRules,
} from './transactional.js';

const two: TransactionalBounds = { messages: 2, owners: 2, epochs: 3, faults: 1, flights: 1 };
const model = (rules: Partial<TransactionalRules>, bounds: Partial<TransactionalBounds> = {}) =>
  transactionalModel({ ...transactionalAsBuilt, ...rules }, { ...two, ...bounds });

describe('owners of a transactional consumer', () => {
  it.each<{ when: string; bounds: Partial<TransactionalBounds>; least: number }>([
    { when: 'two messages', bounds: {}, least: 10_000 },
    { when: 'three messages, two of which fail', bounds: { messages: 3, epochs: 2, faults: 2 }, least: 5_000 },
    { when: 'two late commits', bounds: { flights: 2 }, least: 10_000 },
  ])('have each effect exactly once with $when', ({ bounds, least }) => expectSound(model({}, bounds), least));

  it.each<{ rule: string; rules: Partial<TransactionalRules> }>([
    { rule: 'the epoch', rules: { epoch: false } },
    { rule: 'the position before', rules: { previous: false } },
    { rule: 'a count in the fenced update of a failure that is run', rules: { fence: 'changes nothing' } },
    { rule: 'giving the place up when the outcome is not known', rules: { unknown: 'goes on' } },
  ])('could do without $rule alone', ({ rules }) => expect(foundIn(model(rules, { epochs: 2 }))).toBeUndefined());

  it.each<{ mistake: string; rules: Partial<TransactionalRules> }>([
    { mistake: 'nothing is filtered for', rules: { epoch: false, previous: false } },
    {
      mistake: 'an owner goes on without knowing the outcome, and does not filter for the position before',
      rules: { unknown: 'goes on', previous: false },
    },
    { mistake: 'a failure is deleted after its run was committed', rules: { deletesFailure: 'afterwards' } },
  ])('go wrong where $mistake', ({ rules }) => {
    expect(foundIn(model(rules))).toBe('each effect is there once at most');
  });
});
