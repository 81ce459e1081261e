import type { History } from '../history/records.js';
import { indexHistory, type HistoryIndex } from './history-index.js';
import { atomic } from './rules/atomic.js';
import { causality } from './rules/causality.js';
import { created } from './rules/created.js';
import { delivered } from './rules/delivered.js';
import { historyItself } from './rules/history-itself.js';
import { oneEpoch } from './rules/one-epoch.js';
import { order } from './rules/order.js';
import { positions } from './rules/positions.js';
import { projected } from './rules/projected.js';
import { putOrder } from './rules/put-order.js';
import { readers } from './rules/readers.js';
import { repeats } from './rules/repeats.js';
import { rewound } from './rules/rewound.js';
import { toldOfEachRule, type Involved, type Rule, type Tell, type Violation } from './violation.js';

const rules: Record<Rule, (index: HistoryIndex, tell: Tell) => void> = {
  history: historyItself,
  atomic,
  positions,
  created,
  causality,
  'put order': putOrder,
  readers,
  delivered,
  rewound,
  order,
  repeats,
  'repeated in one epoch': oneEpoch,
  projected,
};

/**
 * What a history breaks of the promises of the library; of each rule the first few, and how many more there are. Knows
 * the library only by what it promises.
 */
export function check(history: History): Violation[] {
  const index = indexHistory(history);
  const violations: Violation[] = [];
  for (const [rule, run] of Object.entries(rules) as [Rule, (typeof rules)[Rule]][]) {
    let count = 0;
    run(index, (text: string, involved: Involved) => {
      count += 1;
      if (count <= toldOfEachRule) violations.push({ rule, text, ...involved });
    });
    if (count > toldOfEachRule) violations.push({ rule, text: `and ${count - toldOfEachRule} more` });
  }
  return violations;
}
