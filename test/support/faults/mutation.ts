import type { Violation } from '../../faults/check/violation.js';
import type { OpenHistory } from './open-history.js';
import type { Random } from './random.js';

/** Breaks a promise somewhere in a history. @returns false where this history has no place for it */
type Mutate = (history: OpenHistory, random: Random) => boolean;

/** One of the candidates is changed, if there is any. */
export function one<V>(
  candidates: (history: OpenHistory) => V[],
  change: (value: V, history: OpenHistory, random: Random) => void,
): Mutate {
  return (history, random) => {
    const all = candidates(history);
    if (all.length === 0) return false;
    change(random.of(all), history, random);
    return true;
  };
}

/** What is broken, the rule that must tell, and how. */
export type Mutation = readonly [name: string, rule: Violation['rule'], mutate: Mutate];

export function positions(h: OpenHistory): number[] {
  return [...h.log.keys()];
}
