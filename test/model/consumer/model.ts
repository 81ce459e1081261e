import type { Model, Step } from '../explore.js';
import { ownerSteps } from './owner.js';
import { requestSteps } from './requests.js';
import type { ConsumerBounds, ConsumerRules } from './rules.js';
import { fresh, settingOf, standingBy, type ConsumerState } from './state.js';
import { lateSteps } from './writes.js';

/** Owners of one consumer, each of which may believe to be the only one, and somebody who rewinds or removes it. */
export function consumerModel(rules: ConsumerRules, bounds: ConsumerBounds): Model<ConsumerState> {
  const setting = settingOf(rules, bounds);
  const { last, positions, none } = setting;

  function steps(state: ConsumerState): Step<ConsumerState>[] {
    return [
      ...state.owners.flatMap((_, index) => ownerSteps(setting, state, index)),
      ...state.flying.flatMap((write, index) =>
        lateSteps(setting, { ...state, flying: state.flying.filter((_, other) => other !== index) }, write),
      ),
      ...requestSteps(setting, state),
    ];
  }

  const isDone = ({ stored, truth }: ConsumerState, position: number) =>
    truth.handled[position]! || truth.gaveUp[position]! || stored.failures[position] !== '';
  return {
    initial: {
      stored: { lease: 0, isFree: true, checkpoint: { epoch: 0, position: 0, handled: [] }, failures: none('') },
      owners: Array.from({ length: bounds.owners }, () => standingBy),
      flying: [],
      faults: bounds.faults,
      closes: bounds.closes,
      rewinds: bounds.rewinds,
      removals: bounds.removals,
      request: null,
      truth: fresh(setting),
    },
    steps,
    invariants: {
      'the checkpoint passes only what is handled or set aside': (state) =>
        positions.every((position) => position > (state.stored.checkpoint?.position ?? 0) || isDone(state, position)),
      'what ended in peace is handled or set aside': (state) =>
        (state.stored.checkpoint?.handled ?? []).every((position) => isDone(state, position)),
      'messages of a key come in order': ({ truth }) => truth.wrong !== 'out of order',
      'no message is with two handlers of an owner': ({ truth }) => truth.wrong !== 'with two handlers',
      'no more than the window repeats': ({ truth }) => truth.repeats <= truth.losses * bounds.window,
    },
    goals: {
      'every message can still be handled or given up': (state) =>
        state.stored.checkpoint?.position === last &&
        positions.every(
          (position) => state.stored.failures[position] === '' || state.stored.failures[position] === 'dead',
        ) &&
        positions.every((position) => isDone(state, position)),
    },
    key: ({ owners, flying, ...rest }, intern) =>
      [
        ...Object.values(rest).map(intern),
        ...owners.map(intern).sort((a, b) => a - b),
        'f',
        ...flying.map(intern).sort((a, b) => a - b),
      ].join(),
  };
}
