import type { Owner, Setting } from './state.js';

export function isReady(setting: Setting, one: Owner, position: number, source: 'log' | 'records'): boolean {
  const { rules, keyOf, below } = setting;
  const isOver = (other: number) => {
    const task = one[source][other];
    // A failure that was handled need not be stored as such before the next of its key is run; one that failed again must.
    return (
      task === '-' || task === 'd' || task === 'q' || (source === 'records' && task === 'p' && isHandled(one, other))
    );
  };
  const isBlocked = source === 'log' && rules.queues && one.blocked.includes(keyOf(position));
  return one[source][position] === 'w' && !isBlocked && below(position).every(isOver);
}

/** What may be run is run lowest position first. */
export function isLowestReady(setting: Setting, one: Owner, position: number, source: 'log' | 'records'): boolean {
  const { positions } = setting;
  const isBefore = (other: number) => isReady(setting, one, other, 'log') || isReady(setting, one, other, 'records');
  if (source === 'log' && isReady(setting, one, position, 'records')) return false;
  return !positions.some((other) => other < position && isBefore(other));
}

/** How many messages would be run again after a crash. */
export function exposed(setting: Setting, one: Owner): number {
  const { positions } = setting;
  return positions.filter((position) => {
    const task = one.log[position];
    const isBegun = task === 'r' || task === 'd' || (task === 'p' && !isQueued(one, position));
    return (isBegun && position > one.position) || one.records[position] === 'r' || one.records[position] === 'p';
  }).length;
}

/** The lowest message makes room for others: it is begun in any case where nothing else is under way. */
export function makesRoom(one: Owner, position: number): boolean {
  const isIdle = ![...one.log, ...one.records].includes('r') && one.write === null && one.changes.length === 0;
  return isIdle && position === one.position + 1;
}

const isQueued = ({ changes }: Owner, position: number) =>
  changes.some((change) => change.position === position && change.to === 'queued');
const isHandled = ({ changes }: Owner, position: number) =>
  changes.some((change) => change.position === position && change.to === '');
