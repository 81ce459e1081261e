import { view, type Data, type Entry, type ReplicaSet } from './replica-set.js';
import type { SequencerBounds, SequencerRules } from './rules.js';

export type Request = { kind: 'append'; entries: readonly Entry[] } | { kind: 'delete'; tokens: readonly string[] };

/** A request under way. Once it has arrived, its answer comes when the writes up to `until` are majority-committed. */
export interface Call {
  request: Request;
  until: number | null;
}

export interface Sequencer {
  phase: 'base' | 'resolve' | 'read' | 'delete first' | 'append' | 'appended' | 'overtaken';
  position: number;
  created: number;
  /** Operation time of its session. */
  time: number;
  /** Read from pending, and not appended yet. */
  rest: readonly string[];
  call: Call | null;
  /** A batch is deleted while the next one is appended. */
  deleting: Call | null;
  /** The highest `ts` that it has moved. */
  moved: string;
}

export interface SequencerState {
  set: ReplicaSet;
  /** How many messages of each transaction are inserted, and whether it is over. */
  transactions: readonly { inserted: number; over: boolean }[];
  /** Tokens in order of their `ts`. */
  order: readonly string[];
  sequencers: readonly Sequencer[];
  /** Requests that their sender gave up on. */
  flying: readonly Request[];
  elections: number;
  reader: { cursor: number; time: number; seen: 'the log' | 'something else' | 'that it is lost' };
}

export const atBase: Sequencer = {
  phase: 'base',
  position: 0,
  created: 0,
  time: 0,
  rest: [],
  call: null,
  deleting: null,
  moved: '',
};

/** What a model is made with, and what follows from that. */
export interface Setting {
  rules: SequencerRules;
  bounds: SequencerBounds;
  /** Size of the log. */
  cap: number;
  idOf(token: string): string;
}

export function settingOf(rules: SequencerRules, bounds: SequencerBounds): Setting {
  return {
    rules,
    bounds,
    cap: rules.batch === 'a quarter' ? bounds.cap : bounds.batch,
    idOf: (token) => bounds.ids[token] ?? token,
  };
}

/** What the primary holds. */
export function local({ cap }: Setting, { set }: SequencerState): Data {
  return view(set, set.writes.length, cap);
}

/** What a read at majority sees. */
export function stable({ cap }: Setting, { set }: SequencerState): Data {
  return view(set, set.stable, cap);
}
