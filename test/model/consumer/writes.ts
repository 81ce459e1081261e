import { applyWrite } from './stored.js';
import type { Step } from '../explore.js';
import { isLowestReady, isReady } from './order.js';
import { givenBack, put, sorted, standingBy, written, type ConsumerState, type Setting, type Task } from './state.js';
import type { Write } from './stored.js';

export function writeSteps(setting: Setting, state: ConsumerState, index: number): Step<ConsumerState>[] {
  const { rules, bounds, positions, last } = setting;
  const one = state.owners[index]!;
  const { checkpoint } = state.stored;
  let position = one.position;
  const passes = (task: Task) => (task !== 'w' && task !== 'r') || (task === 'r' && rules.passes === 'begun');
  while (position < last && passes(one.log[position + 1]!)) position += 1;
  const open = positions.filter((other) => other > position && one.log[other] !== '-');
  const end = open[bounds.window - 1] ?? last;
  const beyond =
    end > one.begun &&
    positions.some(
      (other) => other > one.begun && isReady(setting, one, other, 'log') && isLowestReady(setting, one, other, 'log'),
    );
  const inherited = one.handled.filter((other) => other > position);
  const write = (handled: readonly number[], isLast: boolean): ConsumerState =>
    put(state, index, {
      closing: isLast,
      write: {
        epoch: one.epoch,
        position,
        handled,
        changes: one.changes,
        begun: end,
        matched: checkpoint?.epoch === one.epoch,
        stale: false,
        answer: 'none',
        last: isLast,
      },
    });
  const found: Step<ConsumerState>[] = [];
  if (!one.closing && (position > one.position || one.changes.length > 0 || beyond))
    found.push([`${index + 1} stores ${position}`, write(inherited, false)]);
  if (one.closing || state.closes > 0) {
    const above = positions.filter((other) => other > position && one.log[other] === 'd');
    found.push([
      `${index + 1} ends in peace`,
      givenUp({ ...write(above, true), closes: state.closes - (one.closing ? 0 : 1) }, index),
    ]);
  }
  return found;
}

/** Handlers that still run are told to stop, and do: their messages come again, as after a failure. */
function givenUp(state: ConsumerState, index: number): ConsumerState {
  const { log, records } = state.owners[index]!;
  const failed = state.truth.failed.map((was, position) => was || log[position] === 'r' || records[position] === 'r');
  const stop = (task: Task): Task => (task === 'r' ? 'w' : task);
  return put({ ...state, truth: { ...state.truth, failed } }, index, {
    log: log.map(stop),
    records: records.map(stop),
  });
}

export function acknowledged(setting: Setting, state: ConsumerState, index: number): ConsumerState {
  const { keyOf } = setting;
  const one = state.owners[index]!;
  const { position, begun, changes, last: isLast } = one.write!;
  if (isLast) return put(givenBack(state, one.epoch), index, standingBy);
  const log = [...one.log];
  const records = [...one.records];
  const blocked = new Set(one.blocked);
  for (const change of changes) {
    const key = keyOf(change.position);
    if (log[change.position] === 'p') log[change.position] = change.to === 'queued' ? 'q' : 'd';
    if (records[change.position] === 'p') records[change.position] = '-';
    if (change.to === 'retrying' || change.to === 'queued') blocked.add(key);
  }
  const left = one.changes.slice(changes.length);
  return put(state, index, {
    position,
    begun,
    log,
    records,
    blocked: sorted([...blocked]),
    changes: left,
    write: null,
  });
}

export function lateSteps(setting: Setting, state: ConsumerState, write: Write): Step<ConsumerState>[] {
  const { rules, sameRecord } = setting;
  if (write.stale && (rules.writes === 'the later one' || write.changes.length > 0)) return [];
  const { stored, done } = applyWrite(state.stored, write, rules, sameRecord);
  return [[`a late write of epoch ${write.epoch} arrives`, done ? written(state, stored) : { ...state, stored }]];
}
