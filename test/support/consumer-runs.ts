import { expect } from 'vitest';

import type { Put } from '../../src/index.js';
import type { TestMessage } from './create-outbox.js';
import type { Run } from './scripted-work.js';

export type Order = Put<TestMessage>;

/** An order with a key; `note` tells a `ScriptedWork` what to do with it. */
export const keyed = (ordernr: number, key?: string, note = ''): Order => ({
  type: 'order_created',
  data: { ordernr, note },
  ...(key === undefined ? {} : { key }),
});

/** Numbers of the runs in a phase, in order; repeats included. */
export const inPhase = (runs: readonly Run[], phase: Run['phase']): number[] =>
  runs.filter((run) => run.phase === phase).map(({ ordernr }) => ordernr);

export const doneOf = (runs: readonly Run[]): number[] => inPhase(runs, 'done');

/** The runs of the phase, the first one of each message, per key: they must rise. */
export function expectFirstsInKeyOrder(runs: readonly Run[], phase: 'begin' | 'done' = 'done'): void {
  const seen = new Set<number>();
  const last = new Map<string, number>();
  const wrong: string[] = [];
  for (const { phase: of, key, position } of runs) {
    if (of !== phase || key === undefined || seen.has(position)) continue;
    seen.add(position);
    const before = last.get(key) ?? 0;
    if (before > position) wrong.push(`${key}: ${position} after ${before}`);
    last.set(key, position);
  }
  expect(wrong, `first ${phase} out of order`).toEqual([]);
}

/** How many runs of messages that had been handled before. */
export function repeatsOf(runs: readonly Run[]): number {
  const done = doneOf(runs);
  return done.length - new Set(done).size;
}

/** Messages that two handlers had at the same time. */
export function overlapsOf(runs: readonly Run[]): string[] {
  const open = new Map<number, Run>();
  const found: string[] = [];
  for (const run of runs) {
    if (run.phase === 'aborted') continue;
    const other = open.get(run.position);
    if (run.phase !== 'begin') open.delete(run.position);
    else if (other !== undefined) found.push(`${run.position}: epoch ${other.epoch} and epoch ${run.epoch}`);
    else open.set(run.position, run);
  }
  return found;
}

/** Numbers from 0 to below 1, the same ones for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
