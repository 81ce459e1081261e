import { oldestOf, view, type Entry } from './replica-set.js';
import {
  atBase,
  local,
  stable,
  type Call,
  type Request,
  type Sequencer,
  type SequencerState,
  type Setting,
} from './state.js';

/** The end of the log, and what is to be deleted from pending before anything is appended. */
export function base(setting: Setting, state: SequencerState): Sequencer {
  const { rules, bounds, cap } = setting;
  const length = rules.baseRead === 'local' ? state.set.writes.length : state.set.stable;
  const { log } = view(state.set, length, cap);
  const newest = [...log].sort((a, b) => b.position - a.position).slice(0, bounds.resolveWindow);
  const { position, created } = newest[0] ?? { position: 0, created: 0 };
  const tokens = trusted(setting, newest, log);
  const known: Sequencer = { ...atBase, phase: 'read', position, created, time: length };
  if (!rules.resolve || tokens.length === 0) return known;
  return { ...known, phase: 'resolve', call: { request: { kind: 'delete', tokens }, until: null } };
}

/** What a read of pending gives. */
export function unmoved(setting: Setting, state: SequencerState, { time, moved }: Sequencer): string[] {
  const { rules, bounds } = setting;
  if (rules.causal && state.set.stable < time) return [];
  const { pending } = rules.pendingRead === 'local' ? local(setting, state) : stable(setting, state);
  const from = rules.resumesByTs ? state.order.indexOf(moved) + 1 : 0;
  return state.order.filter((token, ts) => ts >= from && pending.includes(token)).slice(0, bounds.atOnce);
}

/** An append of the first of what is left. */
export function appendOf(setting: Setting, { rest, position, created }: Sequencer, index: number): Call {
  const { rules, bounds } = setting;
  const clock = bounds.clocks[index]!;
  const now = rules.created === 'highest' ? Math.max(created, clock) : clock;
  const entries = rest
    .slice(0, bounds.batch)
    .map((token, at) => ({ position: position + 1 + at, token, created: now, size: bounds.sizes[token] ?? 1 }));
  return { request: { kind: 'append', entries }, until: null };
}

/** The next batch of what was read. */
export function next(setting: Setting, one: Sequencer, state: SequencerState, index: number): Sequencer {
  const { rules, bounds } = setting;
  // Overwriting the log takes longer than a lease lasts, and before it sends an append a sequencer looks at its lease.
  const { log, history } = local(setting, state);
  const isOverwritten = one.position < history.length && !log.some(({ position }) => position === one.position + 1);
  if (isOverwritten) return settle(setting, { ...one, phase: 'overtaken', call: null }, state, index);
  if (rules.order === 'append first') return { ...one, phase: 'append', call: appendOf(setting, one, index) };
  const tokens = one.rest.slice(0, bounds.batch);
  return { ...one, phase: 'delete first', call: { request: { kind: 'delete', tokens }, until: null } };
}

/** An append has an outcome, or the delete beside it: the next batch waits for both. */
export function settle(setting: Setting, one: Sequencer, state: SequencerState, index: number): Sequencer {
  const { rules } = setting;
  if (one.deleting !== null) return one;
  if (one.phase === 'overtaken') return atBase;
  if (one.phase !== 'appended') return one;
  if (one.call === null) return { ...one, phase: 'read' };
  const { entries } = one.call.request as Extract<Request, { kind: 'append' }>;
  const tokens = trusted(setting, entries, stable(setting, state).log);
  const { position, created, token } = entries.at(-1)!;
  const rest = one.rest.slice(entries.length);
  const deleting: Call | null =
    rules.order === 'delete first' || tokens.length === 0 ? null : { request: { kind: 'delete', tokens }, until: null };
  const moved: Sequencer = {
    ...one,
    position,
    created,
    rest,
    deleting,
    call: null,
    moved: rules.resumesByTs ? token : '',
  };
  if (rest.length > 0) return next(setting, moved, state, index);
  return { ...moved, phase: deleting === null ? 'read' : 'appended' };
}

/** Tokens of entries from which it follows that their messages are in the log. */
function trusted(setting: Setting, entries: readonly Entry[], log: readonly Entry[]): string[] {
  const { rules } = setting;
  const from = rules.trusts === 'the log' ? oldestOf(log) : 0;
  return entries.filter(({ position }) => position >= from).map(({ token }) => token);
}
