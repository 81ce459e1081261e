import { expect } from 'vitest';

import { explore, type Model } from './explore.js';

/**
 * Nothing goes wrong in any state.
 * @param least a model that has become smaller by mistake is noticed
 */
export function expectSound<S extends object>(model: Model<S>, least: number): void {
  const { states, violation } = explore(model);
  expect(violation).toBeUndefined();
  expect(states).toBeGreaterThan(least);
}

/** What is found not to hold. */
export function foundIn<S extends object>(model: Model<S>): string | undefined {
  return explore(model).violation?.broken;
}
