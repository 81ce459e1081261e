/** What of a history a violation is about. */
export interface Involved {
  readonly transactions?: readonly string[];
  readonly uids?: readonly string[];
  readonly positions?: readonly number[];
  /** Where only what these got matters. */
  readonly consumers?: readonly string[];
  readonly readers?: readonly string[];
}

/** A promise that a history breaks. */
export interface Violation extends Involved {
  /** `process`: not a history but a process broke a promise, by ending for one. */
  readonly rule: Rule | 'process';
  /** What happened, with values. */
  readonly text: string;
}

export type Rule =
  | 'history'
  | 'atomic'
  | 'positions'
  | 'created'
  | 'causality'
  | 'put order'
  | 'readers'
  | 'delivered'
  | 'rewound'
  | 'order'
  | 'repeats'
  | 'repeated in one epoch'
  | 'projected';

/** Notes a violation. A rule tells each break once: what only follows from it is left out where that is easy. */
export type Tell = (text: string, involved: Involved) => void;

/** A broken run may break a promise a hundred thousand times: so many of each rule are told one by one. */
export const toldOfEachRule = 20;

/** Positions in words, ranges as such: `1-5, 7`. */
export function inWords(positions: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const position of positions) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === position - 1) last[1] = position;
    else ranges.push([position, position]);
  }
  const words = ranges.slice(0, 10).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return words.join(', ') + (ranges.length > 10 ? ` and ${ranges.length - 10} more ranges` : '');
}
