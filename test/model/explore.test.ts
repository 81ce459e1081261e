import { describe, expect, it } from 'vitest';

import { explore, type Model } from './explore.js';

interface Jug {
  small: number;
  large: number;
}

/** Two jugs of 3 and 5 litres. */
const jugs: Model<Jug> = {
  initial: { small: 0, large: 0 },
  steps: ({ small, large }) => {
    const toLarge = Math.min(small, 5 - large);
    const toSmall = Math.min(large, 3 - small);
    return [
      ['fill the small one', { small: 3, large }],
      ['fill the large one', { small, large: 5 }],
      ['empty the small one', { small: 0, large }],
      ['empty the large one', { small, large: 0 }],
      ['pour into the large one', { small: small - toLarge, large: large + toLarge }],
      ['pour into the small one', { small: small + toSmall, large: large - toSmall }],
    ];
  },
  invariants: {},
};

describe('exploring a model', () => {
  it('visits each state once', () => {
    expect(explore(jugs)).toEqual({ states: 16 });
  });

  it('gives the shortest way to what does not hold', () => {
    const { violation } = explore({ ...jugs, invariants: { 'never four litres': ({ large }) => large !== 4 } });
    expect(violation).toEqual({
      broken: 'never four litres',
      trace: [
        'fill the large one',
        'pour into the small one',
        'empty the small one',
        'pour into the small one',
        'fill the large one',
        'pour into the small one',
      ],
    });
  });

  it('checks the first state too', () => {
    const { violation } = explore({ ...jugs, invariants: { 'never empty': ({ small, large }) => small + large > 0 } });
    expect(violation).toEqual({ broken: 'never empty', trace: [] });
  });

  it('finds where a goal is out of reach', () => {
    const leaking: Model<Jug> = {
      ...jugs,
      steps: (jug) =>
        jug.large === 5 ? [['the bottom falls out', { small: 0, large: -1 }]] : jug.large < 0 ? [] : jugs.steps(jug),
      goals: { 'the small one can still be full': ({ small }) => small === 3 },
    };
    const { violation } = explore(leaking);
    expect(violation).toEqual({ broken: 'the small one can still be full', trace: ['fill the large one'] });
  });

  it('takes states for the same that have the same key', () => {
    const turn = (one: number) => (one + 1) % 3;
    const dials: Model<{ left: number; right: number }> = {
      initial: { left: 0, right: 0 },
      steps: ({ left, right }) => [
        ['turn the left one', { left: turn(left), right }],
        ['turn the right one', { left, right: turn(right) }],
      ],
      invariants: {},
    };
    expect(explore(dials).states).toBe(9);
    expect(explore({ ...dials, key: ({ left, right }) => [left, right].sort().join() }).states).toBe(6);
  });
});
