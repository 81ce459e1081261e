import type {
  FinalConsumer,
  FinalState,
  History,
  HistoryRecord,
  ProcessHistory,
  PutRecord,
  Seen,
} from '../history/records.js';
import { rewindsOf, type Rewind } from './rewinds.js';

export type Of<K extends HistoryRecord['kind']> = Extract<HistoryRecord, { kind: K }>;

export interface Transaction {
  readonly begin: Of<'begin'>;
  /** Undefined where its process was killed before it knew, which is as good as unknown. */
  outcome: Of<'committed' | 'aborted' | 'unknown'> | undefined;
}

interface Put {
  readonly record: PutRecord;
  readonly transaction: Transaction;
}

type ConsumerEvent = Of<'delivery' | 'handled' | 'handed over'>;
export type ReaderEvent = Of<'open' | 'read' | 'position lost'>;

export interface ConsumerHistory extends FinalConsumer {
  /** Of all its processes, as time went by. */
  readonly events: readonly ConsumerEvent[];
  readonly rewinds: readonly Rewind[];
  /** Whether the message at this position has one of its types. */
  takes(position: number): boolean;
}

/** A history by what it is about. Where two records contradict each other, it holds the first one: a rule tells of that. */
export interface HistoryIndex {
  readonly processes: readonly ProcessHistory[];
  readonly final: FinalState;
  /** By name. */
  readonly transactions: ReadonlyMap<string, Transaction>;
  /** By uid. */
  readonly puts: ReadonlyMap<string, Put>;
  /** What is at a position of the log. */
  readonly log: ReadonlyMap<number, Seen>;
  /** Where a uid is in the log. */
  readonly positions: ReadonlyMap<string, number>;
  readonly consumers: readonly ConsumerHistory[];
  /** Of all processes of a reader, as time went by. */
  readonly readers: ReadonlyMap<string, readonly ReaderEvent[]>;
}

export function indexHistory({ processes, final }: History): HistoryIndex {
  const transactions = new Map<string, Transaction>();
  const puts = new Map<string, Put>();
  const log = new Map<number, Seen>();
  const positions = new Map<string, number>();
  const events = new Map<string, ConsumerEvent[]>();
  const readers = new Map<string, ReaderEvent[]>();

  const see = (entries: readonly Seen[]): void => {
    for (const seen of entries) {
      if (!log.has(seen.position)) log.set(seen.position, seen);
      if (!positions.has(seen.uid)) positions.set(seen.uid, seen.position);
    }
  };
  const outcomes: Of<'committed' | 'aborted' | 'unknown'>[] = [];
  for (const record of processes.flatMap(({ records }) => records)) {
    switch (record.kind) {
      case 'begin': {
        if (transactions.has(record.tx)) break;
        const transaction: Transaction = { begin: record, outcome: undefined };
        transactions.set(record.tx, transaction);
        for (const message of record.messages) {
          if (!puts.has(message.uid)) puts.set(message.uid, { record: message, transaction });
        }
        break;
      }
      case 'committed':
      case 'aborted':
      case 'unknown':
        outcomes.push(record);
        break;
      case 'read':
      case 'open':
      case 'position lost':
        if (record.kind === 'read') see(record.entries);
        append(readers, record.reader, record);
        break;
      case 'delivery':
      case 'handled':
      case 'handed over':
        if (record.kind === 'delivery') see(record.entries);
        append(events, record.consumer, record);
        break;
      case 'rewinding':
      case 'rewound':
    }
  }
  for (const outcome of outcomes) {
    const transaction = transactions.get(outcome.tx);
    if (transaction !== undefined) transaction.outcome ??= outcome;
  }
  for (const list of [...events.values(), ...readers.values()]) list.sort((a, b) => a.at - b.at);
  const rewinds = rewindsOf(processes);
  const consumers = final.consumers.map((consumer) => ({
    ...consumer,
    events: events.get(consumer.name) ?? [],
    rewinds: rewinds.get(consumer.name) ?? [],
    takes: (position: number) => {
      const type = puts.get(log.get(position)?.uid ?? '')?.record.type;
      return consumer.types === undefined || type === undefined || consumer.types.includes(type);
    },
  }));
  return { processes, final, transactions, puts, log, positions, consumers, readers };
}

/** Calls back for every time that a message was seen, by whomever. */
export function forEachSeen(
  processes: readonly ProcessHistory[],
  visit: (seen: Seen, at: number, observer: string) => void,
): void {
  for (const { records } of processes) {
    for (const record of records) {
      if (record.kind !== 'read' && record.kind !== 'delivery') continue;
      const observer = record.kind === 'read' ? `reader ${record.reader}` : `consumer ${record.consumer}`;
      for (const seen of record.entries) visit(seen, record.at, observer);
    }
  }
}

function append<V>(lists: Map<string, V[]>, name: string, value: V): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [value]);
  else list.push(value);
}
