import type { Step } from '../explore.js';
import { exposed, isLowestReady, isReady, makesRoom } from './order.js';
import { at, put, type ConsumerState, type Owner, type Setting, type Task } from './state.js';
import type { FailureState } from './stored.js';

/** Messages of a key go one after another; those of the log wait for its failures, or join them. */
export function taskSteps(
  setting: Setting,
  state: ConsumerState,
  index: number,
  position: number,
  source: 'log' | 'records',
): Step<ConsumerState>[] {
  const { rules, bounds, keyOf, below } = setting;
  const one = state.owners[index]!;
  const { truth } = state;
  const task = one[source][position];
  const label = `${position}${source === 'records' ? ' again' : ''}`;
  const set = (to: Task, more: Partial<Owner> = {}, after = state) =>
    put(after, index, { [source]: at(one[source], position, to), ...more });
  const counts = one.generation === truth.generation;
  const found: Step<ConsumerState>[] = [];
  if (task === 'r') {
    const handled = counts ? { ...truth, handled: at(truth.handled, position, true) } : truth;
    const change = { position, to: '' } as const;
    const stored =
      source === 'log'
        ? set('d', {}, { ...state, truth: handled })
        : set('p', { changes: [...one.changes, change] }, { ...state, truth: handled });
    found.push([`${index + 1} has handled ${label}`, stored]);
    if (state.faults > 0) {
      const failed = counts ? { ...truth, failed: at(truth.failed, position, true) } : truth;
      const to: FailureState = source === 'log' ? 'retrying' : 'dead';
      found.push([
        `${index + 1} fails at ${label}`,
        set(
          'p',
          { changes: [...one.changes, { position, to }] },
          { ...state, faults: state.faults - 1, truth: failed },
        ),
      ]);
    }
  }
  if (task !== 'w') return found;
  if (source === 'log' && rules.queues && one.blocked.includes(keyOf(position))) {
    if (below(position).every((other) => one.log[other] !== 'r' && one.log[other] !== 'w'))
      found.push([`${index + 1} queues ${label}`, set('p', { changes: [...one.changes, { position, to: 'queued' }] })]);
    return found;
  }
  if (!isReady(setting, one, position, source) || !isLowestReady(setting, one, position, source)) return found;
  if (rules.window && source === 'log' && position > one.begun) return found;
  if (rules.window && exposed(setting, one) >= bounds.window && !(source === 'log' && makesRoom(one, position)))
    return found;
  const repeats = truth.repeats + (truth.begun[position] && !truth.failed[position] ? 1 : 0);
  const isEarly =
    !truth.begun[position] && below(position).some((other) => !truth.handled[other] && !truth.gaveUp[other]);
  const isTwice = one[source === 'log' ? 'records' : 'log'][position] === 'r';
  const wrong = isTwice ? 'with two handlers' : isEarly ? 'out of order' : truth.wrong;
  const told = counts
    ? { ...truth, begun: at(truth.begun, position, true), failed: at(truth.failed, position, false), repeats, wrong }
    : truth;
  found.push([`${index + 1} begins ${label}`, set('r', {}, { ...state, truth: told })]);
  return found;
}

/** The failures of a key are looked up when nothing of it is under way, and nothing is being written. */
export function lookSteps(setting: Setting, state: ConsumerState, index: number, key: string): Step<ConsumerState>[] {
  const { positions, keyOf } = setting;
  const one = state.owners[index]!;
  const own = positions.filter((position) => keyOf(position) === key);
  const isQuiet = own.every(
    (position) => one.records[position] === '-' && one.log[position] !== 'r' && one.log[position] !== 'p',
  );
  const due = own.filter(
    (position) => state.stored.failures[position] === 'retrying' || state.stored.failures[position] === 'queued',
  );
  if (!isQuiet || !one.blocked.includes(key)) return [];
  if (due.length === 0)
    return [[`${index + 1} finds no failure of ${key}`, put(state, index, { blocked: one.blocked.replace(key, '') })]];
  const records = one.records.map((task, position) => (due.includes(position) ? 'w' : task));
  return [[`${index + 1} loads failures of ${key}`, put(state, index, { records })]];
}
