import type { Step } from '../explore.js';
import { givenUp } from './mover.js';
import { committed } from './requests.js';
import type { Sequencer, SequencerState, Setting } from './state.js';

/** Writes become majority-committed one by one, and a primary may be elected at any time. */
export function replicationSteps(setting: Setting, state: SequencerState): Step<SequencerState>[] {
  const { set } = state;
  const found: Step<SequencerState>[] = [];
  if (set.committed < set.writes.length) found.push(['a write is majority-committed', committed(setting, state)]);
  if (set.stable < set.committed)
    found.push(['the primary learns of it', { ...state, set: { ...set, stable: set.committed } }]);
  if (state.elections > 0)
    for (let known = set.committed; known >= 0; known -= 1)
      found.push([`an election; ${set.committed - known} writes behind`, elected(setting, state, known)]);
  return found;
}

/** What was not majority-committed is gone, transactions that are open too, and whoever waits for an answer gets an error. */
function elected(setting: Setting, state: SequencerState, known: number): SequencerState {
  const { bounds } = setting;
  const { set } = state;
  const kept = set.writes.slice(0, set.committed);
  const gone = set.writes.slice(set.committed).flatMap((entry) => (entry.kind === 'put' ? entry.tokens : []));
  const open = state.transactions.map(({ inserted, over }) => !over && inserted > 0);
  const lost = [...gone, ...bounds.transactions.flatMap(({ messages }, index) => (open[index] ? messages : []))];
  const after: SequencerState = {
    ...state,
    set: { ...set, writes: kept, stable: known },
    transactions: state.transactions.map((one, index) => (open[index] ? { ...one, over: true } : one)),
    order: state.order.filter((token) => !lost.includes(token)),
    elections: state.elections - 1,
    reader: { ...state.reader, time: Math.min(state.reader.time, set.committed) },
    // Later operations have later times whatever was lost: a session does not wait for what is gone.
    sequencers: state.sequencers.map((one) => ({ ...one, time: Math.min(one.time, set.committed) })),
  };
  const waits = ({ call, deleting }: Sequencer) => [call, deleting].some((one) => one !== null && one.until !== null);
  return state.sequencers.reduce((now, one, index) => (waits(one) ? givenUp(setting, now, index) : now), after);
}
