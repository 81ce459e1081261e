import type { Model, Step } from '../explore.js';
import { readerSteps, transactionSteps } from './clients.js';
import { sequencerGoals, sequencerInvariants } from './invariants.js';
import { sequencerSteps } from './mover.js';
import { unmoved } from './plan.js';
import { empty, view, type Data } from './replica-set.js';
import { replicationSteps } from './replication.js';
import { arrivals } from './requests.js';
import type { SequencerBounds, SequencerRules } from './rules.js';
import { atBase, local, settingOf, stable, type SequencerState } from './state.js';

/** Two sequencers that know nothing of a lease. Between any two of its steps a sequencer may stand still for ever. */
export function sequencerModel(rules: SequencerRules, bounds: SequencerBounds): Model<SequencerState> {
  const setting = settingOf(rules, bounds);
  const { cap } = setting;

  function steps(state: SequencerState): Step<SequencerState>[] {
    return [
      ...state.transactions.flatMap((_, index) => transactionSteps(setting, state, index)),
      ...state.sequencers.flatMap((_, index) => sequencerSteps(setting, state, index)),
      ...state.flying.flatMap((request, index) =>
        arrivals(setting, { ...state, flying: state.flying.filter((_, other) => other !== index) }, request).map(
          ({ after }): Step<SequencerState> => [`a late ${request.kind} arrives`, after],
        ),
      ),
      ...replicationSteps(setting, state),
      ...(bounds.reader ? readerSteps(setting, state) : []),
    ];
  }

  const known = ({ set }: SequencerState): Data => view(set, set.committed, cap);
  return {
    initial: {
      set: { folded: empty, writes: [], committed: 0, stable: 0 },
      transactions: bounds.transactions.map(() => ({ inserted: 0, over: false })),
      order: [],
      sequencers: [atBase, atBase],
      flying: [],
      elections: bounds.elections,
      reader: { cursor: 0, time: 0, seen: 'the log' },
    },
    steps,
    invariants: sequencerInvariants(bounds, known, (state) =>
      state.sequencers.some((one) => {
        const reads = one.phase === 'read' && state.set.stable >= one.time;
        return reads && stable(setting, state).pending.length > 0 && unmoved(setting, state, one).length === 0;
      }),
    ),
    goals: sequencerGoals((state) => local(setting, state)),
    // Which of the two is called the first does not matter, unless their clocks differ.
    key: ({ sequencers, flying, set, transactions, order, elections, reader }, intern) => {
      const alike = sequencers.map(intern);
      if (bounds.clocks[0] === bounds.clocks[1]) alike.sort((a, b) => a - b);
      const sent = flying.map(intern).sort((a, b) => a - b);
      const { folded, writes, committed, stable } = set;
      const rest = [folded, writes, transactions, order, reader].map(intern);
      return [...rest, committed, stable, elections, ...alike, ...sent].join();
    },
  };
}
