import type { FinalConsumer, PutRecord } from '../../faults/history/records.js';
import type { HistoryBuilder } from './history-builder.js';
import type { Random } from './random.js';

/** What an owner of a consumer knows, and forgets when it dies. */
interface Term {
  readonly epoch: number;
  readonly process: string;
  readonly done: Set<number>;
  readonly inFlight: Map<number, readonly number[]>;
}

/** A consumer that keeps what it promises, through crashes, hand-overs and rewinds. */
export class SimulatedConsumer {
  /** What is stored of it. */
  #done = new Set<number>();
  readonly #dead = new Set<number>();
  readonly #failures = new Map<number, number>();
  readonly #effects: string[] = [];
  /** Where it was registered, or what it was rewound to if that is lower. */
  #from: number;
  #epoch = 0;
  #term: Term | undefined;

  constructor(
    private readonly h: HistoryBuilder,
    private readonly puts: ReadonlyMap<string, PutRecord>,
    private readonly random: Random,
    private readonly setup: Omit<FinalConsumer, 'dead' | 'projected'>,
  ) {
    this.#from = setup.from;
  }

  get final(): FinalConsumer {
    const { setup } = this;
    return { ...setup, dead: [...this.#dead], ...(setup.kind === 'transactional' ? { projected: this.#effects } : {}) };
  }

  step(): void {
    const { random } = this;
    if (this.#term === undefined) return this.#take();
    if (random.chance(0.04)) this.#term = undefined;
    else if (random.chance(0.04)) this.#handOver(this.#term);
    else if (random.chance(0.02) && this.setup.kind !== 'transactional') this.#rewind(this.#term);
    else if (random.chance(0.2)) this.#done = new Set(this.#term.done);
    else if (random.chance(0.5)) this.#finishOne(this.#term);
    else this.#deliver(this.#term);
  }

  /** Handles all that is left, unless there is nothing. */
  drain(): void {
    this.#take();
    const term = this.#term!;
    for (let left = 1; left > 0;) {
      while (term.inFlight.size > 0) this.#finishOne(term);
      this.#done = new Set(term.done);
      this.#deliver(term);
      left = term.inFlight.size;
    }
  }

  #take(): void {
    this.#epoch += 1;
    const process = `${this.setup.name}#${this.#epoch}`;
    this.#term = { epoch: this.#epoch, process, done: new Set(this.#done), inFlight: new Map() };
  }

  #deliver(term: Term): void {
    const { setup, h } = this;
    const free = this.#free(term);
    if (free.length === 0 || (setup.kind === 'transactional' && term.inFlight.size > 0)) return;
    const positions = setup.kind === 'relay' ? free : [this.random.of(free)];
    const entries = positions.map((position) => ({ position, ...h.log[position - 1]! }));
    h.write(term.process, { kind: 'delivery', consumer: setup.name, epoch: term.epoch, entries });
    term.inFlight.set(positions[0]!, positions);
  }

  /** Those of the first `batchSize` messages that are not stored as done which may run now, in log order. */
  #free({ done, inFlight }: Term): number[] {
    const { batchSize, order, kind } = this.setup;
    const running = new Set([...inFlight.values()].flat());
    const free: number[] = [];
    const blocked = new Set<string>();
    let window = 0;
    for (let position = this.#from + 1; position <= this.h.log.length && window < batchSize; position += 1) {
      if (this.#done.has(position) || this.#dead.has(position)) continue;
      window += 1;
      if (done.has(position)) continue;
      const lane = order === 'strict' ? '' : (this.#put(position).key ?? `${position}`);
      if (!running.has(position) && !blocked.has(lane)) free.push(position);
      if (running.has(position) || kind !== 'relay') blocked.add(lane);
    }
    return free;
  }

  #finishOne(term: Term): void {
    if (term.inFlight.size === 0) return;
    const [first, positions] = this.random.of([...term.inFlight]);
    term.inFlight.delete(first);
    const refused = this.random.chance(0.15);
    const failed: number[] = [];
    const ok: number[] = [];
    const abandoned: number[] = [];
    const lanes = new Set<string>();
    for (const position of positions) {
      const lane = this.setup.order === 'strict' ? '' : (this.#put(position).key ?? `${position}`);
      if (lanes.has(lane)) abandoned.push(position);
      else if (!refused && this.#put(position).poison !== true) ok.push(position);
      else {
        failed.push(position);
        lanes.add(lane);
      }
    }
    for (const [outcome, of] of Object.entries({ ok, failed, abandoned })) {
      if (of.length > 0) this.#write(term, outcome as 'ok', of);
    }
    for (const position of ok) this.#settle(term, position);
    for (const position of failed) {
      const failures = (this.#failures.get(position) ?? 0) + 1;
      this.#failures.set(position, failures);
      if (failures > 2 && this.#put(position).poison === true) this.#dead.add(position);
    }
  }

  #settle(term: Term, position: number): void {
    if (this.setup.kind === 'transactional') {
      if (this.random.chance(0.1)) return; // The commit failed.
      this.#effects.push(this.h.log[position - 1]!.uid);
      this.#done.add(position);
    }
    term.done.add(position);
  }

  #handOver(term: Term): void {
    while (term.inFlight.size > 0) this.#finishOne(term);
    this.#done = new Set(term.done);
    this.h.write(term.process, { kind: 'handed over', consumer: this.setup.name, epoch: term.epoch });
    this.#term = undefined;
  }

  #rewind(term: Term): void {
    const position = this.random.below(this.h.log.length + 1);
    const consumer = this.setup.name;
    this.h.write('operator', { kind: 'rewinding', consumer, position });
    if (this.random.chance(0.5)) this.#handOver(term);
    else this.#term = undefined;
    if (this.random.chance(0.1)) return; // It was refused.
    this.#epoch += 1;
    this.#from = Math.min(this.#from, position);
    this.#done = new Set([...this.#done].filter((done) => done <= position));
    if (!this.random.chance(0.1)) this.h.write('operator', { kind: 'rewound', consumer, position });
  }

  #write({ process, epoch }: Term, outcome: 'ok' | 'failed' | 'abandoned', positions: number[]): void {
    this.h.write(process, { kind: 'handled', consumer: this.setup.name, epoch, outcome, positions });
  }

  #put(position: number): PutRecord {
    return this.puts.get(this.h.log[position - 1]!.uid)!;
  }
}
