import type { ConsumerBounds, ConsumerRules } from './rules.js';
import type { Change, Stored, Write } from './stored.js';

/**
 * `-` passed over or not there; `w` may be run; `r` is run; `p` is over, which is to be stored; `d` was run and is over;
 * `q` has joined the failures of its key.
 */
export type Task = '-' | 'w' | 'r' | 'p' | 'd' | 'q';

export interface Owner {
  phase: 'standing by' | 'elected' | 'took over' | 'running';
  epoch: number;
  /** The checkpoint as it is stored, by what it knows. */
  position: number;
  handled: readonly number[];
  /** Up to here messages of the log may be begun: as many as the window holds above what is stored. */
  begun: number;
  /** Messages of the log, and failures that are loaded; index 0 is not used. */
  log: readonly Task[];
  records: readonly Task[];
  blocked: string;
  changes: readonly Change[];
  /** It ends in peace, and begins nothing more. */
  closing: boolean;
  /** Which beginning it took over from; see Truth. */
  generation: number;
  write: (Write & { begun: number; answer: 'none' | 'done' | 'lost'; last: boolean }) | null;
}

/** What has really happened since the consumer was registered or rewound. */
export interface Truth {
  /** How often that was: what an owner from before still does counts for nothing. */
  generation: number;
  begun: readonly boolean[];
  handled: readonly boolean[];
  gaveUp: readonly boolean[];
  /** What has failed since it was begun is to come again. */
  failed: readonly boolean[];
  /** Deliveries of what had been begun and has not failed. */
  repeats: number;
  /** How often an owner lost its place without ending in peace. */
  losses: number;
  wrong: '' | 'out of order' | 'with two handlers';
}

export interface ConsumerState {
  stored: Stored;
  owners: readonly Owner[];
  flying: readonly Write[];
  faults: number;
  closes: number;
  rewinds: number;
  removals: number;
  /** Epoch of somebody who rewinds or removes, and whether it has written that. */
  request: { epoch: number; kind: 'rewind' | 'remove'; tookOver: boolean } | null;
  truth: Truth;
}

/** What a model is made with, and what follows from that. */
export interface Setting {
  rules: ConsumerRules;
  bounds: ConsumerBounds;
  /** The last position. */
  last: number;
  positions: readonly number[];
  keyOf(position: number): string;
  /** Positions of the same key that come before. */
  below(position: number): number[];
  /** Whether two messages would share one failure. */
  sameRecord(a: number, b: number): boolean;
  /** A list by position; index 0 is not used. */
  none<T>(value: T): T[];
}

export function settingOf(rules: ConsumerRules, bounds: ConsumerBounds): Setting {
  const positions = Array.from({ length: bounds.keys.length }, (_, index) => index + 1);
  const keyOf = (position: number) => bounds.keys[position - 1]!;
  return {
    rules,
    bounds,
    last: bounds.keys.length,
    positions,
    keyOf,
    below: (position) => positions.filter((other) => other < position && keyOf(other) === keyOf(position)),
    sameRecord: (a, b) => rules.record === 'id' && bounds.ids[a - 1] === bounds.ids[b - 1],
    none: (value) => [value, ...positions.map(() => value)],
  };
}

export const at = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((old, other) => (other === index ? value : old));

export const standingBy: Owner = {
  phase: 'standing by',
  epoch: 0,
  position: 0,
  handled: [],
  begun: 0,
  log: [],
  records: [],
  blocked: '',
  changes: [],
  closing: false,
  generation: 0,
  write: null,
};

export const fresh = ({ none }: Setting, before?: Truth): Truth => ({
  generation: (before?.generation ?? -1) + 1,
  begun: none(false),
  handled: none(false),
  gaveUp: none(false),
  failed: none(false),
  repeats: before?.repeats ?? 0,
  losses: before?.losses ?? 0,
  wrong: before?.wrong ?? '',
});

export const put = (state: ConsumerState, index: number, change: Partial<Owner>): ConsumerState => ({
  ...state,
  owners: at(state.owners, index, { ...state.owners[index]!, ...change }),
});

/** The checkpoint was written: transactions that began before can't commit. */
export function written(state: ConsumerState, stored: Stored): ConsumerState {
  const gaveUp = state.truth.gaveUp.map((was, position) => was || stored.failures[position] === 'dead');
  return {
    ...state,
    stored,
    truth: { ...state.truth, gaveUp },
    flying: state.flying.map((write) => ({ ...write, stale: true })),
  };
}

/** The lease is acquired, whoever believes to hold it. */
export function taken({ stored, truth }: ConsumerState): { lease: Stored; truth: Truth } {
  const lease = { ...stored, lease: stored.lease + 1, isFree: false };
  return { lease, truth: { ...truth, losses: truth.losses + (stored.isFree ? 0 : 1) } };
}

/** Whoever has no more use for the lease gives it back, unless it is another's. */
export function givenBack(state: ConsumerState, epoch: number): ConsumerState {
  const { stored } = state;
  return stored.lease === epoch ? { ...state, stored: { ...stored, isFree: true } } : state;
}

export const sorted = (keys: readonly string[]) => [...new Set(keys)].sort().join('');
