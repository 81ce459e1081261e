import { commit, type Write } from './replica-set.js';
import { local, type Call, type Request, type SequencerState, type Setting } from './state.js';

/** The primary has written. */
export function write(setting: Setting, state: SequencerState, entry: Write): SequencerState {
  const { bounds } = setting;
  const after = { ...state, set: { ...state.set, writes: [...state.set.writes, entry] } };
  return bounds.replication === 'instant' ? committed(setting, after) : after;
}

/** One more write is majority-committed. */
export function committed(setting: Setting, state: SequencerState): SequencerState {
  const { bounds, cap } = setting;
  const { set, folded } = commit(state.set, bounds.lag, cap);
  const shift = (time: number) => Math.max(0, time - folded);
  const shiftCall = (call: Call | null) =>
    call === null || call.until === null ? call : { ...call, until: shift(call.until) };
  return {
    ...state,
    set,
    reader: { ...state.reader, time: shift(state.reader.time) },
    sequencers: state.sequencers.map((one) => ({
      ...one,
      time: shift(one.time),
      call: shiftCall(one.call),
      deleting: shiftCall(one.deleting),
    })),
  };
}

/** Everything that may come of a request that arrives; an ordered insert can leave a prefix. */
export function arrivals(
  setting: Setting,
  state: SequencerState,
  request: Request,
): { after: SequencerState; answer: 'done' | 'overtaken' | 'failed' }[] {
  const { rules, idOf } = setting;
  if (request.kind === 'delete') {
    const ids = request.tokens.map(idOf);
    const isSame = (token: string) =>
      rules.identity === 'token' ? request.tokens.includes(token) : ids.includes(idOf(token));
    const tokens = local(setting, state).pending.filter(isSame);
    return [{ after: tokens.length === 0 ? state : write(setting, state, { kind: 'delete', tokens }), answer: 'done' }];
  }
  let open = [state];
  const outcomes: ReturnType<typeof arrivals> = [];
  request.entries.forEach((planned, index) => {
    const next: SequencerState[] = [];
    for (const before of open) {
      if (index > 0) outcomes.push({ after: before, answer: 'failed' });
      const { log, history } = local(setting, before);
      const entry = rules.append === 'blind' ? { ...planned, position: history.length + 1 } : planned;
      if (log.some(({ position }) => position === entry.position))
        outcomes.push({ after: before, answer: 'overtaken' });
      else next.push(write(setting, before, { kind: 'append', entry }));
    }
    open = next;
  });
  return [...outcomes, ...open.map((after) => ({ after, answer: 'done' as const }))];
}
