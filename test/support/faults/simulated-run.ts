import type { History, PutRecord } from '../../faults/history/records.js';
import { HistoryBuilder } from './history-builder.js';
import { Random } from './random.js';
import { SimulatedConsumer } from './simulated-consumer.js';

interface Writer {
  name: string;
  open: { tx: string; bare: boolean; messages: PutRecord[]; begun: number } | undefined;
}

interface Reader {
  readonly name: string;
  process: string;
  next: number | undefined;
  stored: number;
}

/** The history of a small outbox that keeps all its promises, through deaths of any of its processes. */
export function simulate(seed: number): History {
  const run = new SimulatedRun(new Random(seed));
  for (let step = 0; step < 600; step += 1) run.step();
  return run.end();
}

class SimulatedRun {
  readonly #h = new HistoryBuilder();
  readonly #puts = new Map<string, PutRecord>();
  readonly #pending: { uid: string; ts: number }[] = [];
  readonly #writers: Writer[] = [0, 1, 2].map((n) => ({ name: `w${n}`, open: undefined }));
  readonly #readers: Reader[] = [0, 1].map((n) => ({ name: `r${n}`, process: `r${n}`, next: undefined, stored: 0 }));
  readonly #consumers: SimulatedConsumer[] = [];
  #count = 0;

  constructor(private readonly random: Random) {
    const kinds = ['handler', 'relay', 'transactional'] as const;
    for (const kind of kinds) for (const order of ['key', 'strict'] as const) this.#register(kind, order, 0);
  }

  step(): void {
    const { random } = this;
    if (random.chance(0.1)) this.#write(random.of(this.#writers));
    else if (random.chance(0.05)) this.#sequence();
    else if (random.chance(0.1)) this.#read(random.of(this.#readers));
    else if (this.#consumers.length < 8 && random.chance(0.01)) {
      this.#register(random.of(['handler', 'relay']), random.of(['key', 'strict']), this.#h.log.length);
    } else random.of(this.#consumers).step();
  }

  end(): History {
    for (const writer of this.#writers) if (writer.open !== undefined) this.#write(writer);
    this.#sequence();
    for (const consumer of this.#consumers) consumer.drain();
    return this.#h.readAll().build({ consumers: this.#consumers.map(({ final }) => final) });
  }

  #register(kind: 'handler' | 'relay' | 'transactional', order: 'key' | 'strict', from: number): void {
    const setup = { name: `c${this.#consumers.length}`, kind, order, batchSize: 2 + this.random.below(4), from };
    this.#consumers.push(new SimulatedConsumer(this.#h, this.#puts, this.random, setup));
  }

  #write(writer: Writer): void {
    if (writer.open === undefined) writer.open = this.#begin(writer.name);
    else {
      this.#finish(writer, writer.open);
      writer.open = undefined;
    }
  }

  #begin(process: string): NonNullable<Writer['open']> {
    const { random } = this;
    const tx = `t${(this.#count += 1)}`;
    const messages = Array.from({ length: 1 + random.below(3) }, (_, n) => ({
      uid: `${tx}.${n}`,
      type: 'x',
      ...(random.chance(0.7) ? { key: `k${random.below(3)}` } : {}),
      ...(random.chance(0.05) ? { poison: true } : {}),
    }));
    for (const message of messages) this.#puts.set(message.uid, message);
    const bare = random.chance(0.2);
    this.#h.write(process, { kind: 'begin', tx, messages, ...(bare ? { bare } : {}) });
    return { tx, bare, messages, begun: this.#h.at };
  }

  #finish(writer: Writer, { tx, bare, messages, begun }: NonNullable<Writer['open']>): void {
    const { random } = this;
    const told = random.of(['committed', 'committed', 'committed', 'aborted', 'unknown', 'killed'] as const);
    let there = told === 'committed' || (told !== 'aborted' && random.chance(0.5)) ? messages.length : 0;
    if (bare && (told === 'unknown' || told === 'killed')) there = random.below(messages.length + 1);
    for (const [n, { uid }] of messages.slice(0, there).entries()) this.#pending.push({ uid, ts: begun + n / 10 });
    if (there > 0 && !bare) this.#h.stored(tx);
    if (told === 'killed') writer.name += "'";
    else this.#h.write(writer.name, { kind: told, tx });
  }

  /** In the order in which they were put; those that commit later come later. */
  #sequence(): void {
    const created = 1_000 + Math.floor(this.#h.at / 50);
    const sorted = this.#pending.splice(0).sort((a, b) => a.ts - b.ts);
    for (const { uid } of sorted) this.#h.log.push({ uid, created });
  }

  #read(reader: Reader): void {
    const { random } = this;
    const { log } = this.#h;
    if (reader.next === undefined) return this.#open(reader);
    if (random.chance(0.1)) {
      reader.next = undefined;
      reader.process += "'";
      return;
    }
    const page = Array.from({ length: 5 }, (_, n) => reader.next! + n).filter((position) => position <= log.length);
    this.#h.read(reader.name, page, reader.process);
    // It may die before it has stored where it is.
    if (page.length > 0 && random.chance(0.7)) reader.stored = page.at(-1)!;
    reader.next += page.length;
  }

  #open(reader: Reader): void {
    const { log } = this.#h;
    const date = 1_000 + this.random.below(20);
    const from = log.findIndex(({ created }) => created >= date);
    // A date in the future is a filter; here it is not used.
    const cursors = [{ position: reader.stored }, 'beginning', 'end', ...(from < 0 ? [] : [{ date }])] as const;
    const cursor = this.random.of(cursors);
    this.#h.open(reader.name, cursor, reader.process);
    if (cursor === 'beginning') reader.next = 1;
    else if (cursor === 'end') reader.next = log.length + 1;
    else reader.next = 'date' in cursor ? from + 1 : cursor.position + 1;
  }
}
