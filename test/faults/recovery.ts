import type { Injection } from './nemeses/field.js';
import type { ProcessHistory } from './history/records.js';

/** How long it took, after a fault was over, until a message that was committed after that had come to those who read. */
export interface Recovery {
  readonly kind: string;
  /** To the first of the readers, in milliseconds. Undefined where nothing was put any more. */
  readonly readMs: number | undefined;
  /** To the last of the consumers that take everything. */
  readonly handledMs: number | undefined;
}

/** When each message came first: to any reader, and to each consumer. */
interface FirstSeen {
  readonly read: Map<string, number>;
  readonly handled: Map<string, Map<string, number>>;
}

/** @param consumers those that take every message */
export function recoveries(
  injections: readonly Injection[],
  processes: readonly ProcessHistory[],
  consumers: readonly string[],
): Recovery[] {
  const first = firstSeen(processes, consumers);
  const commits = commitsOf(processes);
  return injections.map(({ kind, until }) => {
    const after = commits.find(({ at }) => at >= until);
    if (after === undefined) return { kind, readMs: undefined, handledMs: undefined };
    const { uid } = after;
    const read = first.read.get(uid);
    const handled = consumers.map((consumer) => first.handled.get(consumer)?.get(uid) ?? Infinity);
    const handledAt = Math.max(...handled);
    return {
      kind,
      readMs: read === undefined ? undefined : read - until,
      handledMs: Number.isFinite(handledAt) ? handledAt - until : undefined,
    };
  });
}

/** Transactions that were acknowledged, with one message of each, by the time of it. */
function commitsOf(processes: readonly ProcessHistory[]): { at: number; uid: string }[] {
  const commits: { at: number; uid: string }[] = [];
  for (const { records } of processes) {
    const begun = new Map<string, string>();
    for (const record of records) {
      if (record.kind === 'begin') begun.set(record.tx, record.messages[0]?.uid ?? '');
      else if (record.kind === 'committed') commits.push({ at: record.at, uid: begun.get(record.tx) ?? '' });
    }
  }
  return commits.filter(({ uid }) => uid !== '').sort((a, b) => a.at - b.at);
}

function firstSeen(processes: readonly ProcessHistory[], consumers: readonly string[]): FirstSeen {
  const seen: FirstSeen = { read: new Map(), handled: new Map(consumers.map((name) => [name, new Map()])) };
  for (const { records } of processes)
    for (const record of records) {
      const into =
        record.kind === 'read' ? seen.read : record.kind === 'delivery' ? seen.handled.get(record.consumer) : undefined;
      if (into === undefined || !('entries' in record)) continue;
      for (const { uid } of record.entries) into.set(uid, Math.min(into.get(uid) ?? Infinity, record.at));
    }
  return seen;
}
