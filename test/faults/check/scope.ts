import type { HistoryRecord, Seen } from '../history/records.js';
import type { HistoryIndex } from './history-index.js';
import type { Violation } from './violation.js';

/** Positions, uids and transactions that a violation names, at most that many of each. */
const namedAtMost = 20;

/** What a violation is about, and so which records speak of it. */
export class Scope {
  readonly positions: ReadonlySet<number>;
  readonly uids: ReadonlySet<string>;
  readonly transactions: ReadonlySet<string>;
  readonly #consumers: ReadonlySet<string>;
  readonly #readers: ReadonlySet<string>;
  /** Whether it matters what all observers got. */
  readonly #all: boolean;

  constructor(violation: Violation, { log, positions, puts }: HistoryIndex) {
    const named = <V>(values: readonly V[] = []): V[] => values.slice(0, namedAtMost);
    const uids = new Set(named(violation.uids));
    const places = new Set(named(violation.positions));
    for (const position of [...places]) {
      const uid = log.get(position)?.uid;
      if (uid !== undefined) uids.add(uid);
    }
    for (const uid of uids) {
      const position = positions.get(uid);
      if (position !== undefined) places.add(position);
    }
    const transactions = [...uids].flatMap((uid) => puts.get(uid)?.transaction.begin.tx ?? []);
    this.uids = uids;
    this.positions = places;
    this.transactions = new Set([...named(violation.transactions), ...transactions]);
    this.#consumers = new Set(violation.consumers);
    this.#readers = new Set(violation.readers);
    this.#all = this.#consumers.size === 0 && this.#readers.size === 0;
  }

  /** Whether a record that speaks of one of its transactions, uids or positions, or of none at all, belongs to it. */
  wants(record: HistoryRecord): boolean {
    if ('reader' in record) return this.#readers.has(record.reader) || (this.#all && record.kind === 'read');
    if (!('consumer' in record)) return true;
    const isAboutMessages = record.kind === 'delivery' || record.kind === 'handled';
    return this.#consumers.has(record.consumer) || (this.#all && isAboutMessages);
  }

  speaksOf({ position, uid }: Seen): boolean {
    return this.positions.has(position) || this.uids.has(uid);
  }
}
