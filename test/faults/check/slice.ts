import type { History, HistoryRecord } from '../history/records.js';
import { indexHistory } from './history-index.js';
import { Scope } from './scope.js';
import type { Violation } from './violation.js';

/** A record, and who wrote it. */
type SlicedRecord = HistoryRecord & { readonly process: string };

/** Records of one violation, at most: half of them the first ones, half the last ones. */
const recordsOfEach = 200;
/** Entries of a list within a record, at most. */
const entriesOfEach = 20;

/**
 * The evidence: the records that speak of what the violations are about, in order of time. Lists within a record are cut
 * down to that, too. Of a violation with very many records, those in the middle are left out.
 */
export function slice(history: History, violations: readonly Violation[]): SlicedRecord[] {
  const index = indexHistory(history);
  const scopes = violations.map((violation) => new Scope(violation, index));
  const interested = new Interests(scopes);
  const found = new Map<Scope, HistoryRecord[]>(scopes.map((scope) => [scope, []]));
  const writers = new Map<HistoryRecord, string>();
  for (const { process, records } of history.processes) {
    for (const record of records) {
      for (const scope of interested.in(record)) {
        found.get(scope)!.push(record);
        writers.set(record, process);
      }
    }
  }
  const taken = new Map<HistoryRecord, Scope[]>();
  for (const [scope, records] of found) {
    records.sort((a, b) => a.at - b.at);
    if (records.length > recordsOfEach) records.splice(recordsOfEach / 2, records.length - recordsOfEach);
    for (const record of records) taken.set(record, [...(taken.get(record) ?? []), scope]);
  }
  return [...taken]
    .sort(([a], [b]) => a.at - b.at)
    .map(([record, of]) => ({ process: writers.get(record)!, ...cutDown(record, of) }));
}

/** Finds the scopes of a record without asking each of them. */
class Interests {
  readonly #of = {
    position: new Map<number, Scope[]>(),
    uid: new Map<string, Scope[]>(),
    tx: new Map<string, Scope[]>(),
  };

  constructor(private readonly scopes: readonly Scope[]) {
    const add = <K>(map: Map<K, Scope[]>, keys: Iterable<K>, scope: Scope): void => {
      for (const key of keys) map.set(key, [...(map.get(key) ?? []), scope]);
    };
    for (const scope of scopes) {
      add(this.#of.position, scope.positions, scope);
      add(this.#of.uid, scope.uids, scope);
      add(this.#of.tx, scope.transactions, scope);
    }
  }

  in(record: HistoryRecord): Set<Scope> {
    const all = new Set(this.#candidates(record));
    for (const scope of all) if (!scope.wants(record)) all.delete(scope);
    return all;
  }

  #candidates(record: HistoryRecord): readonly Scope[] {
    const { position, uid, tx } = this.#of;
    if ('tx' in record) return tx.get(record.tx) ?? [];
    if ('entries' in record) {
      return record.entries.flatMap((seen) => [...(position.get(seen.position) ?? []), ...(uid.get(seen.uid) ?? [])]);
    }
    if ('positions' in record) return record.positions.flatMap((one) => position.get(one) ?? []);
    // An opening, a hand-over and the like: of whoever is named.
    return this.scopes;
  }
}

function cutDown(record: HistoryRecord, scopes: readonly Scope[]): HistoryRecord {
  const first = <V>(values: readonly V[]): readonly V[] => values.slice(0, entriesOfEach);
  if ('entries' in record) {
    return { ...record, entries: first(record.entries.filter((seen) => scopes.some((scope) => scope.speaksOf(seen)))) };
  }
  if ('positions' in record) {
    return {
      ...record,
      positions: first(record.positions.filter((one) => scopes.some(({ positions }) => positions.has(one)))),
    };
  }
  if (record.kind !== 'begin') return record;
  const named = record.messages.filter(({ uid }) => scopes.some(({ uids }) => uids.has(uid)));
  return { ...record, messages: first(named.length > 0 ? named : record.messages) };
}
