import type { Model, Step } from './explore.js';

/** How the log keeps what consumers have not passed. Every other value is a mistake. */
export interface RetentionRules {
  /** Whether there is a stored floor; without it the lowest checkpoint is all that is looked at. */
  floor: boolean;
  /** Whether the lowest checkpoint is read in the transaction that raises the floor, or before. */
  lowestRead: 'in the transaction' | 'before';
  /** Whether who registers or rewinds changes the floor document, so that a raise conflicts. */
  touch: 'counts up' | 'changes nothing';
  /** Room for what a stale sequencer may still send. */
  reserve: boolean;
  /** Whether a server that was killed, and counts anew, is noticed before an append is sent to it. */
  noticesKills: boolean;
}

export const retentionAsBuilt: RetentionRules = {
  floor: true,
  lowestRead: 'in the transaction',
  touch: 'counts up',
  reserve: true,
  noticesKills: true,
};

export interface RetentionBounds {
  /** Entries of the log. At the start it has room for nothing but the reserve. */
  cap: number;
  /** How many messages are still to be appended. */
  appends: number;
  sequencers: number;
  /** Checkpoints at the start; null for a consumer that is to be registered. */
  consumers: readonly (number | null)[];
  /** How many appends of stale sequencers arrive as stray entries. */
  strays: number;
  kills: number;
}

/** A transaction that reads the floor document, writes it and commits. */
interface Transaction {
  /** The floor as its snapshot has it. */
  floor: number;
  /** The lowest checkpoint as the raise has it; where to begin, for a consumer. */
  position: number;
  wrote: boolean;
  /** Somebody has changed the floor document since. */
  stale: boolean;
}

interface Sequencer {
  base: number;
  floor: number;
  drift: number;
  /** An append that fits, by what was known when it was planned. */
  planned: boolean;
  /** The lowest checkpoint, where it is read too early. */
  lowest: number | null;
  raise: Transaction | null;
}

interface Consumer {
  checkpoint: number | null;
  /** Where it is to begin, or to go back to, and whether the floor will do as well. */
  wish: { position: number; clamps: boolean } | null;
  move: Transaction | null;
}

export interface RetentionState {
  oldest: number;
  end: number;
  floor: number;
  /** By how much the server counts more entries than there are. */
  drift: number;
  sequencers: readonly Sequencer[];
  consumers: readonly Consumer[];
  strays: number;
  kills: number;
}

const none = Infinity;

/** More than the reserve. */
const miscount = 2;

/** Sequencers that append to a full log, and consumers that register, go on and rewind meanwhile. */
export function retentionModel(rules: RetentionRules, bounds: RetentionBounds): Model<RetentionState> {
  const first = bounds.cap - 1;
  const last = first + bounds.appends;
  const reserve = rules.reserve ? 1 : 0;
  const lowestOf = ({ consumers }: RetentionState) =>
    Math.min(none, ...consumers.map(({ checkpoint }) => checkpoint ?? none));

  function steps(state: RetentionState): Step<RetentionState>[] {
    const found = [
      ...state.sequencers.flatMap((_, index) => sequencerSteps(state, index)),
      ...state.consumers.flatMap((_, index) => consumerSteps(state, index)),
    ];
    // There is one only where something has been overwritten; it stays, and counts.
    if (state.strays > 0 && state.oldest > 1)
      found.push(['a stray entry arrives', evict({ ...state, strays: state.strays - 1, drift: state.drift + 1 }, 0)]);
    if (state.kills > 0) found.push([`the server is killed, and counts ${miscount} too many`, killed(state)]);
    return found;
  }

  /** The server evicts while its own count is above the cap. */
  function evict(state: RetentionState, inserted: number): RetentionState {
    const count = state.end - state.oldest + 1 + state.drift + inserted;
    return { ...state, oldest: state.oldest + Math.max(0, count - bounds.cap) };
  }

  function killed(state: RetentionState): RetentionState {
    const drift = state.drift + miscount;
    const sequencers = rules.noticesKills
      ? state.sequencers.map((one) => ({ ...one, drift, planned: false, raise: null }))
      : state.sequencers.map((one) => ({ ...one, raise: null }));
    const consumers = state.consumers.map((one) => ({ ...one, move: null }));
    // What was sent to a process that is gone arrives nowhere, unless it may be sent to the next one.
    const strays = rules.noticesKills ? 0 : state.strays;
    return { ...state, kills: state.kills - 1, drift, strays, sequencers, consumers };
  }

  function sequencerSteps(state: RetentionState, index: number): Step<RetentionState>[] {
    const one = state.sequencers[index]!;
    const name = `sequencer ${index + 1}`;
    const put = (changed: Partial<Sequencer>, after = state): RetentionState => ({
      ...after,
      sequencers: after.sequencers.map((other, at) => (at === index ? { ...other, ...changed } : other)),
    });
    if (one.planned) {
      const planned = { planned: false, base: state.end };
      if (one.base !== state.end) return [[`${name} is overtaken`, put(planned)]];
      const appended = { ...evict(state, 1), end: state.end + 1 };
      return [[`${name} appends ${appended.end}`, put({ ...planned, base: appended.end }, appended)]];
    }
    if (one.raise !== null) return raiseSteps(state, one.raise, name, put);
    if (one.base === last) return [];
    if (one.base !== state.end) return [[`${name} reads the end of the log`, put({ base: state.end })]];
    if (!rules.floor) {
      const lowest = Math.min(lowestOf(state), state.end);
      const fits = bounds.cap - (one.base - lowest) - one.drift - reserve >= 1 || lowest === one.base;
      return fits ? [[`${name} reads the lowest checkpoint`, put({ planned: true })]] : [];
    }
    const unpassed = Math.max(0, one.base - one.floor);
    if (bounds.cap - unpassed - one.drift - reserve >= 1 || unpassed === 0)
      return [[`${name} has room`, put({ planned: true })]];
    if (rules.lowestRead === 'before' && one.lowest === null)
      return [[`${name} reads the lowest checkpoint`, put({ lowest: Math.min(lowestOf(state), none - 1) })]];
    const position = one.lowest ?? lowestOf(state);
    const raise = { floor: state.floor, position, wrote: false, stale: false };
    return [[`${name} begins to raise the floor`, put({ raise, lowest: null, drift: state.drift })]];
  }

  function raiseSteps(
    state: RetentionState,
    raise: Transaction,
    name: string,
    put: (changed: Partial<Sequencer>, after?: RetentionState) => RetentionState,
  ): Step<RetentionState>[] {
    if (!raise.wrote) {
      if (conflicts(state, raise)) return [[`the raise of ${name} conflicts`, put({ raise: null })]];
      const asked = Math.min(raise.position, state.end);
      if (asked <= raise.floor) return [[`${name} can't raise the floor`, put({ raise: null, floor: raise.floor })]];
      return [[`${name} writes the floor ${asked}`, put({ raise: { ...raise, floor: asked, wrote: true } })]];
    }
    const after = put({ raise: null, floor: raise.floor }, committed({ ...state, floor: raise.floor }));
    return [[`${name} commits the floor ${raise.floor}`, after]];
  }

  function consumerSteps(state: RetentionState, index: number): Step<RetentionState>[] {
    const one = state.consumers[index]!;
    const name = `consumer ${index + 1}`;
    const put = (changed: Partial<Consumer>, after = state): RetentionState => ({
      ...after,
      consumers: after.consumers.map((other, at) => (at === index ? { ...other, ...changed } : other)),
    });
    const { wish, move, checkpoint } = one;
    const found: Step<RetentionState>[] = [];
    if (checkpoint !== null && checkpoint < state.end)
      found.push([`${name} passes ${checkpoint + 1}`, put({ checkpoint: checkpoint + 1 })]);
    if (wish === null) {
      for (const position of [state.oldest - 1, state.end])
        if (position < (checkpoint ?? none))
          for (const clamps of [true, false])
            found.push([
              `${name} is to begin after ${position}${clamps ? ', or later' : ''}`,
              put({ wish: { position, clamps } }),
            ]);
      return found;
    }
    if (move === null) {
      const begun = { floor: state.floor, position: wish.position, wrote: false, stale: false };
      found.push([`${name} begins its transaction`, put({ move: begun })]);
    } else if (!move.wrote) {
      const { floor } = move;
      const isBelow = rules.floor && wish.position < floor;
      if (rules.touch === 'counts up' && conflicts(state, move))
        found.push([`the transaction of ${name} conflicts`, put({ move: null })]);
      else if (isBelow && !wish.clamps) found.push([`${name} is refused`, put({ move: null, wish: null })]);
      else {
        const position = isBelow ? floor : wish.position;
        found.push([`${name} writes its checkpoint ${position}`, put({ move: { ...move, position, wrote: true } })]);
      }
    } else {
      const after = put({ move: null, wish: null, checkpoint: move.position });
      const label = `${name} commits its checkpoint ${move.position}`;
      found.push([label, rules.touch === 'counts up' ? committed(after) : after]);
    }
    return found;
  }

  /** Somebody has written the floor document, or is about to. */
  function conflicts({ sequencers, consumers }: RetentionState, own: Transaction): boolean {
    const moves = rules.touch === 'counts up' ? consumers.map(({ move }) => move) : [];
    const others = [...sequencers.map(({ raise }) => raise), ...moves];
    return own.stale || others.some((other) => other !== null && other !== own && other.wrote);
  }

  /** The floor document has changed: whoever has read it before can't write it. */
  function committed(state: RetentionState): RetentionState {
    const stale = (one: Transaction | null) => (one === null ? null : { ...one, stale: true });
    return {
      ...state,
      sequencers: state.sequencers.map((one) => ({ ...one, raise: stale(one.raise) })),
      consumers: state.consumers.map((one) => ({ ...one, move: stale(one.move) })),
    };
  }

  const start: Sequencer = { base: first, floor: 0, drift: 0, planned: false, lowest: null, raise: null };
  return {
    initial: {
      oldest: 1,
      end: first,
      floor: 0,
      drift: 0,
      sequencers: Array.from({ length: bounds.sequencers }, () => start),
      consumers: bounds.consumers.map((checkpoint) => ({ checkpoint, wish: null, move: null })),
      strays: bounds.strays,
      kills: bounds.kills,
    },
    steps,
    invariants: {
      'nothing unpassed is overwritten': ({ oldest, consumers }) =>
        consumers.every(({ checkpoint }) => checkpoint === null || oldest <= checkpoint + 1),
    },
    goals: { 'everything can still be appended': ({ end }) => end === last },
  };
}
