import fc from 'fast-check';
import { describe, it, vi } from 'vitest';

import { check } from '../../faults/check/check.js';
import { consumerMutations } from '../../support/faults/consumer-mutations.js';
import { logMutations } from '../../support/faults/log-mutations.js';
import { OpenHistory } from '../../support/faults/open-history.js';
import { Random } from '../../support/faults/random.js';
import { simulate } from '../../support/faults/simulated-run.js';

// Some seconds of work on a machine that does other things too.
vi.setConfig({ testTimeout: 30_000 });

it('finds nothing in histories of an outbox that keeps its promises', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const violations = check(simulate(seed));
      if (violations.length > 0) throw new Error(JSON.stringify(violations, undefined, 1));
    }),
    { numRuns: 100 },
  );
});

describe('finds it', () => {
  it.each([...logMutations, ...consumerMutations])('when %s: %s', (_, rule, mutate) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const history = new OpenHistory(simulate(seed));
        fc.pre(mutate(history, new Random(seed)));
        const broken = check(history.value).map((violation) => violation.rule);
        if (!broken.includes(rule)) throw new Error(`not found; only ${broken.join(', ') || 'nothing'}`);
      }),
      { numRuns: 8 },
    );
  });
});
