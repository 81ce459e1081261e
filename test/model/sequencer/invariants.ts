import type { Data } from './replica-set.js';
import type { SequencerBounds } from './rules.js';
import type { SequencerState } from './state.js';

type Check = (state: SequencerState) => boolean;

/**
 * The guarantees, in what is majority-committed.
 *
 * @param isBlind whether a sequencer waits for more though something is pending
 */
export function sequencerInvariants(
  { transactions }: SequencerBounds,
  committed: (state: SequencerState) => Data,
  isBlind: Check,
): Record<string, Check> {
  /** Of each two, the first comes first: it was put first in one transaction, or committed before the other one began. */
  const pairs = transactions.flatMap(({ messages, after }) => [
    ...messages.slice(1).map((token, index) => [messages[index]!, token] as const),
    ...(after === undefined ? [] : transactions[after]!.messages.map((token) => [token, messages[0]!] as const)),
  ]);
  return {
    'each message is in the log once': (state) => {
      const { history } = committed(state);
      return new Set(history).size === history.length;
    },
    'positions have no gaps': (state) => !committed(state).history.includes(''),
    'only what was committed is in the log': (state) => {
      const { history, put } = committed(state);
      return history.every((token) => token === '' || put.includes(token));
    },
    'nothing is lost': (state) => {
      const { history, put, pending } = committed(state);
      return put.every((token) => pending.includes(token) || history.includes(token));
    },
    'order is causal': (state) => {
      const { history, put } = committed(state);
      return pairs.every(([first, second]) => {
        if (!history.includes(second) || !put.includes(first)) return true;
        return history.includes(first) && history.indexOf(first) < history.indexOf(second);
      });
    },
    'created never falls': (state) => !committed(state).createdFell,
    'nothing is left behind': (state) => !isBlind(state),
    'all readers see the same': ({ reader }) => reader.seen !== 'something else',
  };
}

/** Whatever happens, everything can still be moved. */
export function sequencerGoals(local: (state: SequencerState) => Data): Record<string, Check> {
  return {
    'everything can still reach the log': (state) => {
      const { pending, put, history } = local(state);
      return (
        state.transactions.every(({ over }) => over) &&
        pending.length === 0 &&
        put.every((token) => history.includes(token))
      );
    },
  };
}
