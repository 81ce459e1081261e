import type { RetryOptions } from '../handler.js';
import { probeDelayMs } from './retry-plan.js';

/** So many different messages that fail, without one success in between, are an outage and not their own failures. */
export const outageAfter = 5;
/** Longest time, in milliseconds, that a failed message waits for others to show whether it is an outage. */
const mostGraceMs = 500;

/** A failed message of which it is not known yet whether it failed by itself. */
interface Suspect<I> {
  item: I;
  error: unknown;
  /** What was started later than this and succeeds convicts it. */
  failedAs: number;
  failedAt: number;
}

/** The message that was refused while the destination is taken to be down. */
export interface Accused<I> {
  item: I;
  error: unknown;
}

/** What becomes of messages: convicted ones failed by themselves, the others are run again and spent no attempt. */
export interface Verdict<I> {
  convicted: { item: I; error: unknown }[];
  givenBack: I[];
  /** Whether the destination is taken to be down from now on, or up again. */
  turned?: 'down' | 'up';
}

/** How a probe went: `refused` by the destination, or by an error that may be the message's own. */
export type ProbeResult = 'accepted' | 'refused';

/**
 * Whether the destination is down, or single messages fail: a destination that is down must not turn thousands of
 * messages into dead letters.
 *
 * up -> down, when a message is refused as `Unavailable`, or a run of different messages fails without one success;
 * down -> up, when a probe is accepted. While down, one message at a time is run, after growing delays: the lowest; where
 * that is refused one of another lane; where that one is accepted the lowest again, which, refused again, failed by itself.
 */
export class Outage<I> {
  #order = 0;
  #suspects: Suspect<I>[] = [];
  #down:
    | {
        refused: number;
        probeAt: number;
        stage: 'first' | 'beside' | 'again';
        accused?: Accused<I>;
        /** Refused beside the accused one: each round tries another. */
        tried: Set<I>;
      }
    | undefined;

  constructor(
    private readonly retry: Required<RetryOptions>,
    private readonly random: () => number = Math.random,
  ) {}

  get isDown(): boolean {
    return this.#down !== undefined;
  }

  /** How many rounds of probes in a row were refused. */
  get refusedRounds(): number {
    return this.#down?.refused ?? 0;
  }

  /** Whether failed messages wait for others to show whether it is an outage. */
  get hasSuspects(): boolean {
    return this.#suspects.length > 0;
  }

  /** Number of the run that starts now; `accepted` wants it back. */
  start(): number {
    this.#order += 1;
    return this.#order;
  }

  /** A message was handled while the destination is taken to be up, or by a run that began before it was not. */
  accepted(started: number): Verdict<I> {
    if (this.#down !== undefined) return this.#up([], this.#release());
    const convicted = this.#suspects.filter(({ failedAs }) => failedAs < started);
    this.#suspects = this.#suspects.filter(({ failedAs }) => failedAs >= started);
    return { convicted, givenBack: [] };
  }

  /** A message failed, by its own fault or not. */
  failed(item: I, error: unknown, now: number): Verdict<I> {
    if (this.#down !== undefined) return { convicted: [], givenBack: [item] };
    this.#order += 1;
    this.#suspects.push({ item, error, failedAs: this.#order, failedAt: now });
    return this.#suspects.length < outageAfter ? { convicted: [], givenBack: [] } : this.#goDown(now, []);
  }

  /** The destination said that it is down. `accused`: the one message that it refused, which waits for its second trial. */
  refused(items: readonly I[], now: number): Verdict<I> {
    return this.#down === undefined ? this.#goDown(now, items) : { convicted: [], givenBack: [...items] };
  }

  /** As `refused`, for a single message that may be at fault itself: it is tried against another one without delay. */
  accuse(item: I, error: unknown, now: number): Verdict<I> {
    const verdict = this.#goDown(now, []);
    this.#down = { refused: 0, probeAt: now, stage: 'beside', accused: { item, error }, tried: new Set() };
    return verdict;
  }

  /** When suspects are convicted for want of others to compare them with; undefined without suspects. */
  get graceEnds(): number | undefined {
    const first = this.#suspects[0];
    return first === undefined ? undefined : first.failedAt + this.#graceMs;
  }

  /**
   * Nothing more can be begun: suspects are convicted once their grace has passed, unless a run is under way that began
   * after they had failed, and will show whether they failed by themselves.
   *
   * @param newest number of the latest run under way; 0 without any
   */
  convictAlone(now: number, newest: number): Verdict<I> {
    const alone = ({ failedAs, failedAt }: Suspect<I>) => failedAs > newest && now >= failedAt + this.#graceMs;
    const convicted = this.#suspects.filter(alone);
    this.#suspects = this.#suspects.filter((suspect) => !alone(suspect));
    return { convicted, givenBack: [] };
  }

  get #graceMs(): number {
    return Math.min(mostGraceMs, this.retry.initialDelayMs);
  }

  /** When the next probe may be run; undefined while up. */
  get probeAt(): number | undefined {
    return this.#down?.probeAt;
  }

  /**
   * What to probe now, where nothing is under way.
   * @param next the lowest message that may be run
   * @param beside the lowest that may be run and is of another lane than the given one
   * @returns the probe, with `again` where it is held since it was refused; or what is given back since there is no other to
   * compare with; `later` where the other can't be run yet
   */
  probe(
    now: number,
    next: () => I | undefined,
    beside: (accused: Accused<I>, tried: ReadonlySet<I>) => I | 'later' | undefined,
  ): { item: I; again: boolean } | { givenBack: I[] } | 'later' {
    const down = this.#down;
    if (down === undefined || now < down.probeAt) return { givenBack: [] };
    if (down.stage === 'first' || down.accused === undefined) {
      const item = next();
      return item === undefined ? { givenBack: [] } : { item, again: false };
    }
    if (down.stage === 'again') return { item: down.accused.item, again: true };
    let other = beside(down.accused, down.tried);
    if (other === undefined && down.tried.size > 0) {
      down.tried.clear();
      other = beside(down.accused, down.tried);
    }
    if (other === 'later') return 'later';
    if (other !== undefined) return { item: other, again: false };
    return { givenBack: this.#nextRound(now) };
  }

  /** How the probe went. */
  probed(item: I, result: ProbeResult, error: unknown, now: number): Verdict<I> {
    const down = this.#down;
    if (down === undefined) return { convicted: [], givenBack: result === 'accepted' ? [] : [item] };
    const { accused, stage } = down;
    if (result === 'accepted') {
      if (stage !== 'beside' || accused === undefined) return this.#up([], []);
      down.stage = 'again';
      down.probeAt = now;
      return { convicted: [], givenBack: [] };
    }
    if (stage === 'again' && accused !== undefined) return this.#up([{ item, error }], []);
    if (stage === 'beside' && accused !== undefined) {
      down.tried.add(item);
      return { convicted: [], givenBack: [item, ...this.#nextRound(now)] };
    }
    this.#down = { ...down, stage: 'beside', accused: { item, error } };
    return { convicted: [], givenBack: [] };
  }

  /** The destination answered for a probe, which failed by itself: it is up. */
  answered(item: I): Verdict<I> {
    if (this.#down === undefined) return { convicted: [], givenBack: [] };
    return this.#up(
      [],
      this.#release().filter((accused) => accused !== item),
    );
  }

  /** A probe can never be handled, which says nothing of the destination. */
  gaveUp(item: I): Verdict<I> {
    if (this.#down?.accused?.item === item) return this.answered(item);
    return { convicted: [], givenBack: [] };
  }

  /** Everything that waits for a verdict, to be run again: the consumer stops. */
  release(): I[] {
    const released = [...this.#suspects.map(({ item }) => item), ...this.#release()];
    this.#suspects = [];
    return released;
  }

  #release(): I[] {
    const accused = this.#down?.accused?.item;
    return accused === undefined ? [] : [accused];
  }

  #goDown(now: number, items: readonly I[]): Verdict<I> {
    const givenBack = [...items, ...this.#suspects.map(({ item }) => item)];
    this.#suspects = [];
    const probeAt = now + probeDelayMs(0, this.retry, this.random);
    this.#down = { refused: 0, probeAt, stage: 'first', tried: new Set() };
    return { convicted: [], givenBack, turned: 'down' };
  }

  #nextRound(now: number): I[] {
    const released = this.#release();
    const refused = (this.#down?.refused ?? 0) + 1;
    const probeAt = now + probeDelayMs(refused, this.retry, this.random);
    this.#down = { refused, probeAt, stage: 'first', tried: this.#down?.tried ?? new Set() };
    return released;
  }

  #up(convicted: Verdict<I>['convicted'], givenBack: I[]): Verdict<I> {
    this.#down = undefined;
    return { convicted, givenBack, turned: 'up' };
  }
}
