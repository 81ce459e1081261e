import type { Step } from '../explore.js';
import { applyWrite } from './stored.js';
import {
  put,
  givenBack,
  sorted,
  standingBy,
  taken,
  written,
  type ConsumerState,
  type Setting,
  type Task,
} from './state.js';
import { lookSteps, taskSteps } from './tasks.js';
import { acknowledged, writeSteps } from './writes.js';

export function ownerSteps(setting: Setting, state: ConsumerState, index: number): Step<ConsumerState>[] {
  const { rules, bounds, positions, keyOf, none } = setting;
  const one = state.owners[index]!;
  const { stored } = state;
  const name = `${index + 1}`;
  switch (one.phase) {
    case 'standing by': {
      if ((stored.lease >= bounds.epochs && !stored.isFree) || stored.checkpoint === null) return [];
      const { lease, truth } = taken(state);
      const early =
        rules.takeover === 'reads the position'
          ? { position: stored.checkpoint.position, handled: stored.checkpoint.handled }
          : {};
      return [
        [
          `${name} is elected, epoch ${lease.lease}`,
          put({ ...state, stored: lease, truth }, index, { phase: 'elected', epoch: lease.lease, ...early }),
        ],
      ];
    }
    case 'elected': {
      const { checkpoint } = stored;
      if (checkpoint === null || checkpoint.epoch >= one.epoch)
        return [[`${name} has lost its place`, put(givenBack(state, one.epoch), index, standingBy)]];
      const { position, handled } = rules.takeover === 'reads the position' ? one : checkpoint;
      const after = written(state, { ...stored, checkpoint: { ...checkpoint, epoch: one.epoch } });
      return [
        [
          `${name} takes over at ${position}`,
          put(after, index, { phase: 'took over', position, handled, generation: state.truth.generation }),
        ],
      ];
    }
    case 'took over': {
      const { failures } = stored;
      const isDone = (position: number) =>
        position <= one.position ||
        one.handled.includes(position) ||
        (rules.failed === 'passed over' && failures[position] !== '');
      const log = none<Task>('-').map((task, position) => (position === 0 || isDone(position) ? task : 'w'));
      const waiting = positions.filter(
        (position) => failures[position] === 'retrying' || failures[position] === 'queued',
      );
      return [
        [
          `${name} reads the failures`,
          put(state, index, { phase: 'running', log, records: none('-'), blocked: sorted(waiting.map(keyOf)) }),
        ],
      ];
    }
    case 'running':
      return runningSteps(setting, state, index);
  }
}

function runningSteps(setting: Setting, state: ConsumerState, index: number): Step<ConsumerState>[] {
  const { rules, bounds, positions, sameRecord } = setting;
  const one = state.owners[index]!;
  const { stored } = state;
  const name = `${index + 1}`;
  const found: Step<ConsumerState>[] = [];
  const gone = one.write !== null && one.write.answer === 'none' ? [one.write] : [];
  const left = (): ConsumerState => {
    const sent = gone.map(({ epoch, position, handled, changes, matched, stale }) => ({
      epoch,
      position,
      handled,
      changes,
      matched,
      stale,
    }));
    return { ...state, flying: [...state.flying, ...sent] };
  };
  const fits = gone.length + state.flying.length <= bounds.flights;
  if (one.epoch < stored.lease || (stored.lease < bounds.epochs && fits))
    found.push([`${name} dies, or finds its lease lost`, put(fits ? left() : state, index, standingBy)]);
  if (!one.closing)
    for (const position of positions)
      found.push(
        ...taskSteps(setting, state, index, position, 'log'),
        ...taskSteps(setting, state, index, position, 'records'),
      );
  if (one.write === null && one.closing) return [...found, ...writeSteps(setting, state, index)];
  if (one.write === null) {
    for (const key of sorted([...bounds.keys])) found.push(...lookSteps(setting, state, index, key));
    found.push(...writeSteps(setting, state, index));
    return found;
  }
  if (one.write.answer === 'none') {
    const { stored: after, done } = applyWrite(stored, one.write, rules, sameRecord);
    const write = { ...one.write, answer: done ? ('done' as const) : ('lost' as const) };
    found.push([
      `write of ${name} arrives: ${write.answer}`,
      put(done ? written(state, after) : { ...state, stored: after }, index, { write }),
    ]);
  } else if (one.write.answer === 'lost')
    found.push([`${name} learns that its lease is lost`, put(state, index, standingBy)]);
  else found.push([`${name} learns that it is stored`, acknowledged(setting, state, index)]);
  // What was to be changed is sent again with the next write.
  if (fits) found.push([`write of ${name} times out`, put(left(), index, { write: null })]);
  return found;
}
