import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Outage, type Verdict } from '../../../src/consumer/outage.js';

const retry = { maxAttempts: 10, initialDelayMs: 1_000, maxDelayMs: 300_000, factor: 2, jitter: 0 };
const concurrency = 4;

interface Message {
  readonly name: string;
  readonly lane: string | undefined;
  /** It can never be handled, wherever it goes. */
  readonly poison: boolean;
}

/** How a run ends that does not succeed. */
const failures = ['failed', 'unavailable', 'permanent', 'answered'] as const;
type Failure = (typeof failures)[number];
interface Step {
  readonly action: 'start' | 'end' | 'wait';
  readonly which: number;
  readonly up: boolean;
}

/** What the caller does with a verdict: it keeps each message in exactly one place. */
class Caller {
  readonly outage = new Outage<Message>(retry, () => 0);
  readonly waiting: Set<Message>;
  readonly running = new Map<Message, { order: number; probe: boolean }>();
  readonly held = new Set<Message>();
  readonly convicted = new Set<Message>();
  readonly handled = new Set<Message>();
  now = 0;
  #down = false;

  readonly messages: Message[];

  constructor(messages: readonly Message[]) {
    this.messages = [...messages];
    this.waiting = new Set(messages);
  }

  /** A new message comes, which nothing is wrong with. */
  add(): void {
    const item = { name: `m${this.messages.length}`, lane: undefined, poison: false };
    this.messages.push(item);
    this.waiting.add(item);
  }

  step({ action, which, up }: Step, failure: Failure): void {
    this.now += action === 'wait' ? 600 : 50;
    if (action === 'end') this.#end(which, up, failure);
    else this.#dispatch();
    const places = [this.waiting, this.running, this.held, this.convicted, this.handled];
    assert.equal(
      places.reduce((sum, { size }) => sum + size, 0),
      this.messages.length,
    );
  }

  apply({ convicted, givenBack, turned }: Verdict<Message>): void {
    for (const { item } of convicted) {
      this.#give(this.held, item, this.convicted);
    }
    for (const item of givenBack) {
      this.#give(this.held, item, this.waiting);
    }
    // It is told once, each time it turns.
    if (turned !== undefined) assert.equal(this.#down, turned === 'up');
    if (turned !== undefined) this.#down = turned === 'down';
    assert.equal(this.outage.isDown, this.#down);
  }

  #give(from: Set<Message>, item: Message, to: Set<Message>): void {
    assert(from.delete(item), `${item.name} is where the verdict takes it from`);
    to.add(item);
  }

  #end(which: number, up: boolean, failure: Failure): void {
    const [item, run] = [...this.running][which % Math.max(1, this.running.size)] ?? [];
    if (item === undefined || run === undefined) return;
    const { outage, now } = this;
    this.running.delete(item);
    if (up && !item.poison) {
      this.handled.add(item);
      return this.apply(run.probe ? outage.probed(item, 'accepted', undefined, now) : outage.accepted(run.order));
    }
    // Only a destination that is up can say that it is the message.
    if (up && (failure === 'permanent' || failure === 'answered')) {
      this.convicted.add(item);
      if (run.probe) this.apply(failure === 'permanent' ? outage.gaveUp(item) : outage.answered(item));
      return;
    }
    this.held.add(item);
    const error = new Error();
    if (run.probe) return this.apply(outage.probed(item, 'refused', error, now));
    if (!up && failure === 'unavailable') return this.apply(outage.refused([item], now));
    this.apply(outage.failed(item, error, now));
  }

  #dispatch(): void {
    const { outage } = this;
    if (outage.isDown) return this.#probe();
    const next = this.startable()[0];
    if (next !== undefined && this.running.size < concurrency) return this.#run(next, false);
    if (next !== undefined || !outage.hasSuspects) return;
    this.apply(outage.convictAlone(this.now, Math.max(0, ...[...this.running.values()].map(({ order }) => order))));
  }

  #probe(): void {
    if (this.running.size > 0) return;
    const probe = this.outage.probe(
      this.now,
      () => this.startable()[0],
      ({ item: accused }, tried) =>
        this.startable().find(
          ({ lane, name }) => !nameIn(tried, name) && (lane === undefined || lane !== accused.lane),
        ),
    );
    if (probe === 'later') return;
    if ('givenBack' in probe) return this.apply({ convicted: [], givenBack: probe.givenBack });
    // The accused one was held since it was refused.
    if (probe.again) this.#give(this.held, probe.item, this.waiting);
    this.#run(probe.item, true);
  }

  /** One of a key at a time, from the lowest on. */
  startable(): Message[] {
    const busy = new Set([...this.running.keys(), ...this.held].map(({ lane }) => lane));
    return this.messages.filter((item) => {
      if (!this.waiting.has(item) || (item.lane !== undefined && busy.has(item.lane))) return false;
      busy.add(item.lane);
      return true;
    });
  }

  #run(item: Message, probe: boolean): void {
    assert(this.waiting.delete(item));
    this.running.set(item, { order: this.outage.start(), probe });
  }
}

function nameIn(messages: ReadonlySet<Message>, name: string): boolean {
  return [...messages].some((message) => message.name === name);
}

const messages = (keyed: boolean) =>
  fc
    .array(fc.boolean(), { minLength: 8, maxLength: 12 })
    .map((poison) =>
      poison.map((each, index) => ({ name: `m${index}`, lane: keyed ? `k${index % 5}` : undefined, poison: each })),
    );
const steps = (up: fc.Arbitrary<boolean>) =>
  fc.array(
    fc.tuple(
      fc.record({
        action: fc.constantFrom('start' as const, 'start' as const, 'end' as const, 'end' as const, 'wait' as const),
        which: fc.nat(3),
        up,
      }),
      fc.constantFrom(...failures),
    ),
    { maxLength: 120, size: 'max' },
  );

/** From now on it is up, and new messages come: without one that succeeds nothing tells an outage from poison. */
function drain(caller: Caller): void {
  const settle = (): void => {
    const isDone = () => caller.waiting.size + caller.running.size + caller.held.size === 0;
    for (let round = 0; round < 3_000 && !isDone(); round += 1) {
      if (caller.outage.isDown) caller.now += 60_000;
      if (caller.outage.isDown && caller.startable().every(({ poison }) => poison)) caller.add();
      caller.step({ action: round % 2 === 0 ? 'end' : 'wait', which: 0, up: true }, 'failed');
    }
    expect([...caller.waiting, ...caller.running.keys(), ...caller.held]).toEqual([]);
  };
  settle();
  caller.add();
  settle();
  expect(caller.outage.isDown).toBe(false);
  expect(caller.outage.hasSuspects).toBe(false);
}

describe('any course of events', () => {
  it('keeps every message in one place, and none waits for a verdict for ever', () => {
    fc.assert(
      fc.property(fc.boolean().chain(messages), steps(fc.boolean()), (given, course) => {
        const caller = new Caller(given);
        for (const [step, failure] of course) caller.step(step, failure);
        drain(caller);
      }),
      { numRuns: 150 },
    );
  });

  it('convicts those that failed by themselves, and no others, where the destination is up all the time', () => {
    fc.assert(
      fc.property(fc.boolean().chain(messages), steps(fc.constant(true)), (given, course) => {
        const caller = new Caller(given);
        for (const [step, failure] of course) caller.step(step, failure);
        drain(caller);
        expect([...caller.convicted].filter(({ poison }) => !poison)).toEqual([]);
        expect([...caller.handled].filter(({ poison }) => poison)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('convicts none, where the destination is down all the time', () => {
    fc.assert(
      fc.property(messages(false), steps(fc.constant(false)), (given, course) => {
        const caller = new Caller(given);
        for (const [step, failure] of course) caller.step(step, failure);
        expect([...caller.convicted]).toEqual([]);
        for (const item of caller.outage.release()) caller.apply({ convicted: [], givenBack: [item] });
        expect(caller.held.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
