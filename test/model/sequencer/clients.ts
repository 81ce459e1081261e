import type { Step } from '../explore.js';
import { view } from './replica-set.js';
import { write } from './requests.js';
import { stable, type SequencerState, type Setting } from './state.js';

/** Those who put. */
export function transactionSteps(setting: Setting, state: SequencerState, index: number): Step<SequencerState>[] {
  const { bounds } = setting;
  const { messages, after } = bounds.transactions[index]!;
  const { inserted, over } = state.transactions[index]!;
  if (over) return [];
  const set = (change: Partial<SequencerState['transactions'][number]>) =>
    state.transactions.map((other, at) => (at === index ? { ...other, ...change } : other));
  if (inserted === messages.length) {
    const tokens = [...messages];
    return [
      [
        `${tokens.join('')} commits`,
        write(setting, { ...state, transactions: set({ over: true }) }, { kind: 'put', tokens }),
      ],
    ];
  }
  if (inserted === 0 && after !== undefined && !state.transactions[after]!.over) return [];
  const token = messages[inserted]!;
  return [
    [`${token} is put`, { ...state, transactions: set({ inserted: inserted + 1 }), order: [...state.order, token] }],
  ];
}

/** Who reads page by page. */
export function readerSteps(setting: Setting, state: SequencerState): Step<SequencerState>[] {
  const { rules, cap } = setting;
  const { cursor, time, seen } = state.reader;
  if (seen !== 'the log' || state.set.stable < time) return [];
  const { log } = stable(setting, state);
  const page = log.filter(({ position }) => position > cursor).sort((a, b) => a.position - b.position);
  const last = page.at(-1);
  if (last === undefined) return [];
  const contiguous = page.every(({ position }, index) => position === cursor + 1 + index);
  const rising = page.every((entry, index) => index === 0 || log.indexOf(page[index - 1]!) < log.indexOf(entry));
  const told = (what: SequencerState['reader']['seen']) => ({ ...state.reader, cursor: 0, time: 0, seen: what });
  if (!contiguous || (!rising && rules.strays === 'lost'))
    return [['the reader is lost', { ...state, reader: told('that it is lost') }]];
  const { history } = view(state.set, state.set.committed, cap);
  const same = page.every(({ position, token }) => history[position - 1] === token);
  const reader = same ? { ...state.reader, cursor: last.position, time: state.set.stable } : told('something else');
  return [[`the reader reads up to ${last.position}`, { ...state, reader }]];
}
