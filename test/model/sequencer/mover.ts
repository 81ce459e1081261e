import type { Step } from '../explore.js';
import { appendOf, base, next, settle, unmoved } from './plan.js';
import { oldestOf } from './replica-set.js';
import { arrivals, write } from './requests.js';
import { atBase, stable, type Call, type Sequencer, type SequencerState, type Setting } from './state.js';

/** What a sequencer may do next, and what may happen to its requests. */
export function sequencerSteps(setting: Setting, state: SequencerState, index: number): Step<SequencerState>[] {
  const { rules, bounds } = setting;
  const one = state.sequencers[index]!;
  const name = `${index + 1}`;
  const put = (after: SequencerState, changed: Sequencer): SequencerState => ({
    ...after,
    sequencers: after.sequencers.map((other, at) => (at === index ? changed : other)),
  });
  if (one.phase === 'base') return [[`${name} reads the base`, put(state, base(setting, state))]];
  const found: Step<SequencerState>[] = [];
  if (one.phase === 'read') {
    const rest = unmoved(setting, state, one);
    const time = rules.pendingRead === 'local' ? state.set.writes.length : state.set.stable;
    if (rest.length > 0)
      found.push([`${name} reads ${rest.join('')}`, put(state, next(setting, { ...one, time, rest }, state, index))]);
  }
  for (const slot of ['call', 'deleting'] as const) {
    const call = one[slot];
    if (call === null) continue;
    const { request } = call;
    if (call.until === null) {
      for (const { after, answer } of arrivals(setting, state, request)) {
        const now = after.sequencers[index]!;
        const label = `${request.kind} of ${name} arrives: ${answer}`;
        if (answer === 'failed') found.push([label, givenUp(setting, put(after, { ...now, [slot]: null }), index)]);
        else if (answer === 'overtaken') {
          const overtaken: Sequencer = { ...now, call: null, phase: 'overtaken' };
          found.push([label, put(after, settle(setting, overtaken, state, index))]);
        } else {
          const until = after.set.writes.length;
          found.push([label, put(after, { ...now, [slot]: { request, until } })]);
        }
      }
    } else if (call.until <= state.set.committed || (request.kind === 'delete' && rules.deletes === 'one')) {
      const label = `${request.kind} of ${name} is acknowledged`;
      const told = { ...one, time: Math.max(one.time, call.until) };
      if (slot === 'deleting')
        found.push([label, put(state, settle(setting, { ...told, deleting: null }, state, index))]);
      else if (one.phase === 'resolve')
        found.push([label, put(withoutStrays(setting, state), { ...told, phase: 'read', call: null })]);
      else if (one.phase === 'delete first')
        found.push([label, put(state, { ...told, phase: 'append', call: appendOf(setting, one, index) })]);
      else found.push([label, put(state, settle(setting, { ...told, phase: 'appended' }, state, index))]);
    }
  }
  const isSent = (call: Call | null) => call !== null && call.until === null;
  const room = bounds.flights - state.flying.length;
  if (Number(isSent(one.call)) + Number(isSent(one.deleting)) <= room)
    found.push([`${name} gives up, or dies and starts again`, givenUp(setting, state, index)]);
  return found;
}

/** Strays are removed where the server allows it; two commands, but the second says exactly what it deletes. */
function withoutStrays(setting: Setting, state: SequencerState): SequencerState {
  const { log } = stable(setting, state);
  const positions = log.map(({ position }) => position).filter((position) => position < oldestOf(log));
  return positions.length === 0 ? state : write(setting, state, { kind: 'drop strays', positions });
}

/** It knows nothing any more; what it has sent may still arrive. */
export function givenUp(setting: Setting, state: SequencerState, index: number): SequencerState {
  const { bounds } = setting;
  const { call, deleting } = state.sequencers[index]!;
  const sent = [call, deleting].flatMap((one) => (one !== null && one.until === null ? [one.request] : []));
  return {
    ...state,
    sequencers: state.sequencers.map((other, at) => (at === index ? atBase : other)),
    flying: [...state.flying, ...sent].slice(0, bounds.flights),
  };
}
