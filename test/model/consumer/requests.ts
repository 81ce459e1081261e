import type { Step } from '../explore.js';
import { fresh, givenBack, taken, written, type ConsumerState, type Setting } from './state.js';

export function requestSteps(setting: Setting, state: ConsumerState): Step<ConsumerState>[] {
  const { rules, bounds } = setting;
  const { stored, request } = state;
  const { checkpoint } = stored;
  if (request === null) {
    if (checkpoint === null) {
      const lease = rules.remove === 'forgets' ? 0 : stored.lease;
      const again = { ...stored, lease, checkpoint: { epoch: 0, position: 0, handled: [] } };
      return [['the consumer is registered anew', { ...state, stored: again, truth: fresh(setting, state.truth) }]];
    }
    const found: Step<ConsumerState>[] = [];
    if (stored.lease >= bounds.epochs) return found;
    for (const kind of ['rewind', 'remove'] as const) {
      const left = kind === 'rewind' ? 'rewinds' : 'removals';
      if (state[left] === 0) continue;
      const { lease, truth } = taken(state);
      found.push([
        `epoch ${lease.lease} is to ${kind}`,
        {
          ...state,
          [left]: state[left] - 1,
          stored: lease,
          truth,
          request: { epoch: lease.lease, kind, tookOver: false },
        },
      ]);
    }
    return found;
  }
  const isOver = givenBack({ ...state, request: null }, request.epoch);
  if (checkpoint === null) return [['the request finds nothing', isOver]];
  if (!request.tookOver) {
    if (checkpoint.epoch >= request.epoch) return [['the request is too late', isOver]];
    const taken = { ...stored, checkpoint: { ...checkpoint, epoch: request.epoch } };
    return [['the request takes over', written({ ...state, request: { ...request, tookOver: true } }, taken)]];
  }
  if (checkpoint.epoch !== request.epoch) return [['the request is overtaken', isOver]];
  const failures = stored.failures.map((one) => (request.kind === 'rewind' && one === 'dead' ? one : ''));
  if (request.kind === 'remove')
    return [
      [
        'the consumer is removed',
        { ...written(isOver, { ...isOver.stored, checkpoint: null, failures }), truth: fresh(setting, state.truth) },
      ],
    ];
  const after = written(isOver, {
    ...isOver.stored,
    failures,
    checkpoint: { epoch: request.epoch, position: 0, handled: [] },
  });
  return [
    [
      'the consumer is rewound',
      { ...after, truth: { ...fresh(setting, state.truth), gaveUp: failures.map((one) => one === 'dead') } },
    ],
  ];
}
