import type { History, HistoryRecord, Seen } from '../../faults/history/records.js';

/** The same, all of it writable. */
type Open<T> = T extends readonly (infer V)[]
  ? Open<V>[]
  : T extends object
    ? { -readonly [K in keyof T]: Open<T[K]> }
    : T;
export type OpenRecord = Open<HistoryRecord>;
export type OpenOf<K extends HistoryRecord['kind']> = Extract<OpenRecord, { kind: K }>;

/** A copy of a history that may be changed, and what is needed to find a place to break it. */
export class OpenHistory {
  readonly value: Open<History>;
  /** What is where, and how it ended, before anything was changed. */
  readonly log: ReadonlyMap<number, Open<Seen>>;
  readonly #outcomes: ReadonlyMap<string, OpenOf<'committed' | 'aborted' | 'unknown'>>;
  readonly #positions: ReadonlyMap<string, number>;
  readonly #puts: ReadonlyMap<string, OpenOf<'begin'>['messages'][number]>;

  constructor(history: History) {
    this.value = structuredClone(history) as Open<History>;
    this.log = new Map(this.seen.map((seen) => [seen.position, seen]));
    this.#outcomes = new Map(this.of('committed', 'aborted', 'unknown').map((outcome) => [outcome.tx, outcome]));
    this.#positions = new Map(this.seen.map(({ uid, position }) => [uid, position]));
    this.#puts = new Map(this.of('begin').flatMap(({ messages }) => messages.map((message) => [message.uid, message])));
  }

  get records(): OpenRecord[] {
    return this.value.processes.flatMap(({ records }) => records);
  }

  of<K extends HistoryRecord['kind']>(...kinds: K[]): OpenOf<K>[] {
    return this.records.filter((record): record is OpenOf<K> => (kinds as string[]).includes(record.kind));
  }

  /** Every entry that anybody got. */
  get seen(): Open<Seen>[] {
    return this.of('read', 'delivery').flatMap(({ entries }) => entries);
  }

  positionOf(uid: string): number | undefined {
    return this.#positions.get(uid);
  }

  put(position: number): OpenOf<'begin'>['messages'][number] | undefined {
    return this.#puts.get(this.log.get(position)?.uid ?? '');
  }

  outcome(tx: string): OpenOf<'committed' | 'aborted' | 'unknown'> | undefined {
    return this.#outcomes.get(tx);
  }

  /** Takes a record out of the file that it is in. */
  remove(record: OpenRecord): void {
    for (const one of this.value.processes) one.records = one.records.filter((other) => other !== record);
  }

  /** Adds records after all others, by a process of their own. */
  append(...records: OpenRecord[]): void {
    let at = this.records.reduce((last, record) => Math.max(last, record.at), 0);
    for (const record of records) record.at = at += 1;
    this.value.processes.push({ process: `late${at}`, records });
  }

  /** The message is nowhere, and those behind it have moved up. */
  lose(position: number): void {
    const move = (other: number): number => (other >= position ? other - 1 : other);
    const kept = (other: number): boolean => other !== position;
    for (const record of this.records) {
      if (record.kind === 'read' || record.kind === 'delivery') {
        record.entries = record.entries.filter((seen) => kept(seen.position));
        for (const seen of record.entries) seen.position = move(seen.position);
      } else if (record.kind === 'handled') record.positions = record.positions.filter(kept).map(move);
      else if (record.kind === 'rewinding' || record.kind === 'rewound') record.position = move(record.position);
      else if (record.kind === 'open' && typeof record.cursor === 'object' && 'position' in record.cursor) {
        record.cursor.position = move(record.cursor.position);
      }
    }
    for (const consumer of this.value.final.consumers) {
      consumer.from = move(consumer.from);
      consumer.dead = consumer.dead.filter(kept).map(move);
    }
    this.value.final.last -= 1;
  }

  /** The two messages have changed places, for everybody. */
  swap(a: number, b: number): void {
    const [uidOfA, uidOfB] = [this.log.get(a)!.uid, this.log.get(b)!.uid];
    for (const seen of this.seen) {
      if (seen.position === a) seen.uid = uidOfB;
      else if (seen.position === b) seen.uid = uidOfA;
    }
  }

  /** What the consumer handled, in order of time; of a position whatever came last. */
  handled(consumer: string): Map<number, { epoch: number; at: number }> {
    const ok = this.of('handled').filter((record) => record.consumer === consumer && record.outcome === 'ok');
    ok.sort((x, y) => x.at - y.at);
    return new Map(ok.flatMap(({ positions, epoch, at }) => positions.map((position) => [position, { epoch, at }])));
  }
}
