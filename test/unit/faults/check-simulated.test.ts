import fc from 'fast-check';
import { it } from 'vitest';

import { check } from '../../faults/check/check.js';
import { simulate } from '../../support/faults/simulated-run.js';

it('finds nothing in histories of an outbox that keeps its promises', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const violations = check(simulate(seed));
      if (violations.length > 0) throw new Error(JSON.stringify(violations, undefined, 1));
    }),
    { numRuns: 200 },
  );
});
