import type {
  FinalConsumer,
  FinalState,
  History,
  HistoryRecord,
  PutRecord,
  Seen,
} from '../../faults/history/records.js';

type Cursor = Extract<HistoryRecord, { kind: 'open' }>['cursor'];
type Message = string | (Partial<PutRecord> & { uid: string });
type Unstamped<R> = R extends unknown ? Omit<R, 'at'> : never;

/** Builds a history by hand, a millisecond for each record. Every call can say which process writes. */
export class HistoryBuilder {
  at = 0;
  /** What is in the log: a position is an index plus one. */
  readonly log: { uid: string; created: number }[] = [];
  readonly #processes = new Map<string, HistoryRecord[]>();
  readonly #consumers: FinalConsumer[] = [];
  readonly #committed: string[] = [];
  #process: string | undefined;

  write(process: string, record: Unstamped<HistoryRecord>, at = (this.at += 1)): this {
    const records = this.#processes.get(process) ?? [];
    this.#processes.set(process, records);
    records.push({ at, ...record });
    return this;
  }

  begin(tx: string, ...messages: Message[]): this {
    return this.write('writer', { kind: 'begin', tx, messages: messages.map(toPut) });
  }

  bare(tx: string, ...messages: Message[]): this {
    return this.write('writer', { kind: 'begin', tx, messages: messages.map(toPut), bare: true });
  }

  committed(tx: string): this {
    return this.write('writer', { kind: 'committed', tx });
  }

  aborted(tx: string): this {
    return this.write('writer', { kind: 'aborted', tx });
  }

  unknown(tx: string): this {
    return this.write('writer', { kind: 'unknown', tx });
  }

  /** The transaction's own document is there. */
  stored(...txs: string[]): this {
    this.#committed.push(...txs);
    return this;
  }

  append(...uids: string[]): this {
    for (const uid of uids) this.log.push({ uid, created: 1_000 + this.log.length + 1 });
    return this;
  }

  /** A transaction that committed, was acknowledged and is in the log. */
  put(tx: string, ...messages: Message[]): this {
    this.begin(tx, ...messages)
      .committed(tx)
      .stored(tx);
    return this.append(...messages.map((message) => toPut(message).uid));
  }

  open(reader: string, cursor: Cursor, process = reader): this {
    return this.write(process, { kind: 'open', reader, cursor });
  }

  read(reader: string, entries: readonly (number | Seen)[], process = reader): this {
    return this.write(process, { kind: 'read', reader, entries: entries.map((entry) => this.#seen(entry)) });
  }

  lost(reader: string): this {
    return this.write(reader, { kind: 'position lost', reader });
  }

  /** What consumers get from now on is written by this process, and not by one of their own name. */
  as(process: string): this {
    this.#process = process;
    return this;
  }

  consumer(name: string, options: Partial<FinalConsumer> = {}): this {
    this.#consumers.push({ name, kind: 'handler', order: 'key', batchSize: 2, from: 0, dead: [], ...options });
    return this;
  }

  deliver(consumer: string, epoch: number, ...entries: (number | Seen)[]): this {
    const seen = entries.map((entry) => this.#seen(entry));
    return this.write(this.#process ?? consumer, { kind: 'delivery', consumer, epoch, entries: seen });
  }

  ok(consumer: string, epoch: number, ...positions: number[]): this {
    return this.write(this.#process ?? consumer, { kind: 'handled', consumer, epoch, outcome: 'ok', positions });
  }

  failed(consumer: string, epoch: number, ...positions: number[]): this {
    return this.write(this.#process ?? consumer, { kind: 'handled', consumer, epoch, outcome: 'failed', positions });
  }

  abandoned(consumer: string, epoch: number, ...positions: number[]): this {
    return this.write(this.#process ?? consumer, { kind: 'handled', consumer, epoch, outcome: 'abandoned', positions });
  }

  /** Delivers and handles, one after another. */
  handle(consumer: string, epoch: number, ...positions: number[]): this {
    for (const position of positions) this.deliver(consumer, epoch, position).ok(consumer, epoch, position);
    return this;
  }

  handOver(consumer: string, epoch: number): this {
    return this.write(this.#process ?? consumer, { kind: 'handed over', consumer, epoch });
  }

  rewinding(consumer: string, position: number): this {
    return this.write('operator', { kind: 'rewinding', consumer, position });
  }

  rewound(consumer: string, position: number): this {
    return this.write('operator', { kind: 'rewound', consumer, position });
  }

  rewind(consumer: string, position: number): this {
    return this.rewinding(consumer, position).rewound(consumer, position);
  }

  /** A reader that got the whole log. */
  readAll(): this {
    return this.open('whole', 'beginning').read(
      'whole',
      this.log.map((_, index) => index + 1),
    );
  }

  build(final: Partial<FinalState> = {}): History {
    return {
      processes: [...this.#processes].map(([process, records]) => ({ process, records })),
      final: {
        committed: this.#committed,
        pending: [],
        first: 1,
        last: this.log.length,
        consumers: this.#consumers,
        ...final,
      },
    };
  }

  #seen(entry: number | Seen): Seen {
    if (typeof entry !== 'number') return entry;
    const { uid, created } = this.log[entry - 1] ?? { uid: `nothing at ${entry}`, created: 0 };
    return { position: entry, uid, created };
  }
}

function toPut(message: Message): PutRecord {
  return { type: 'x', ...(typeof message === 'string' ? { uid: message } : message) };
}
