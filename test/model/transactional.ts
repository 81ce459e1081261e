import type { Model, Step } from './explore.js';

/** How a transactional consumer works: what its handler writes, and the progress, commit together. Every other value is a mistake. */
export interface TransactionalRules {
  /** Whether progress is stored only while no later epoch has been written. */
  epoch: boolean;
  /** Whether progress is stored only from the position that it was planned for. */
  previous: boolean;
  /** What an owner does when it does not know whether its transaction was committed. */
  unknown: 'gives its place up' | 'goes on';
  /** `changes nothing`: the fenced update of a failure's run leaves the checkpoint as it is, and conflicts with nothing. */
  fence: 'counts up' | 'changes nothing';
  /** Whether a run of a failure commits only if it has deleted that. */
  deletesFailure: 'in the transaction' | 'afterwards';
}

export const transactionalAsBuilt: TransactionalRules = {
  epoch: true,
  previous: true,
  unknown: 'gives its place up',
  fence: 'counts up',
  deletesFailure: 'in the transaction',
};

export interface TransactionalBounds {
  messages: number;
  owners: number;
  /** How often the lease can change hands. */
  epochs: number;
  /** How many attempts fail. */
  faults: number;
  /** Commits whose sender gave up on them, and that may still arrive. */
  flights: number;
}

/** One transaction: a handler's, or one that sets a message aside. It commits only where nobody has written the checkpoint since. */
interface Work {
  message: number;
  kind: 'handle' | 'handle again' | 'set aside';
  epoch: number;
  previous: number;
  /** What was stored when it began. */
  seenEpoch: number;
  seenPosition: number;
  stale: boolean;
}

interface Owner {
  phase: 'standing by' | 'elected' | 'running';
  epoch: number;
  position: number;
  work: Work | null;
  handled: boolean;
  /** A failure whose effect is committed, and that is still to be deleted. */
  toDelete: number;
}

export interface TransactionalState {
  lease: number;
  epoch: number;
  position: number;
  failed: readonly boolean[];
  /** How often what the handler writes for each message was committed. */
  effects: readonly number[];
  owners: readonly Owner[];
  flying: readonly Work[];
  faults: number;
}

const at = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((old, other) => (other === index ? value : old));

const standingBy: Owner = { phase: 'standing by', epoch: 0, position: 0, work: null, handled: false, toDelete: 0 };

/** Owners of a consumer in a transaction per message, all messages of one key: the first failure holds those behind it. */
export function transactionalModel(rules: TransactionalRules, bounds: TransactionalBounds): Model<TransactionalState> {
  const last = bounds.messages;

  function steps(state: TransactionalState): Step<TransactionalState>[] {
    return [
      ...state.owners.flatMap((_, index) => ownerSteps(state, index)),
      ...state.flying.flatMap((work, index): Step<TransactionalState>[] => {
        const after = committed({ ...state, flying: state.flying.filter((_, other) => other !== index) }, work);
        return typeof after === 'string' ? [] : [[`a late commit of ${work.message} arrives`, after]];
      }),
    ];
  }

  /** Commits, unless the transaction conflicts, or its filter did not match. */
  function committed(state: TransactionalState, work: Work): TransactionalState | 'conflict' | 'no match' | 'gone' {
    const { message, kind } = work;
    const isAgain = kind === 'handle again';
    const ignores = rules.fence === 'changes nothing' && isAgain;
    if (work.stale && !ignores) return 'conflict';
    if (rules.epoch && work.seenEpoch !== work.epoch) return 'no match';
    if (rules.previous && work.seenPosition !== work.previous) return 'no match';
    const deletes = isAgain && rules.deletesFailure === 'in the transaction';
    if (deletes && !state.failed[message]) return 'gone';
    const effects = kind === 'set aside' ? state.effects : at(state.effects, message, state.effects[message]! + 1);
    const failed =
      kind === 'set aside'
        ? at(state.failed, message, true)
        : deletes
          ? at(state.failed, message, false)
          : state.failed;
    const position = isAgain ? state.position : Math.max(state.position, message);
    const after = { ...state, effects, failed, position };
    return ignores ? after : written(after);
  }

  /** The checkpoint was written: transactions that began before can't commit. */
  function written(state: TransactionalState): TransactionalState {
    const stale = (work: Work) => ({ ...work, stale: true });
    return {
      ...state,
      owners: state.owners.map((one) => (one.work === null ? one : { ...one, work: stale(one.work) })),
      flying: state.flying.map(stale),
    };
  }

  function ownerSteps(state: TransactionalState, index: number): Step<TransactionalState>[] {
    const one = state.owners[index]!;
    const name = `${index + 1}`;
    const put = (change: Partial<Owner>, after = state): TransactionalState => ({
      ...after,
      owners: at(after.owners, index, { ...after.owners[index]!, ...change }),
    });
    if (one.phase === 'standing by') {
      const isHeld = state.owners.some(({ epoch }) => epoch === state.lease);
      if (state.lease >= bounds.epochs && isHeld) return [];
      const lease = state.lease + 1;
      return [[`${name} is elected, epoch ${lease}`, put({ phase: 'elected', epoch: lease }, { ...state, lease })]];
    }
    if (one.phase === 'elected') {
      if (state.epoch >= one.epoch) return [[`${name} has lost its place`, put(standingBy)]];
      const after = put({ phase: 'running', position: state.position }, written({ ...state, epoch: one.epoch }));
      return [[`${name} takes over at ${state.position}`, after]];
    }
    const found: Step<TransactionalState>[] = [];
    if (one.epoch < state.lease || state.lease < bounds.epochs) found.push([`${name} dies`, put(standingBy)]);
    if (one.toDelete > 0) {
      const after = { ...state, failed: at(state.failed, one.toDelete, false) };
      return [...found, [`${name} deletes failure ${one.toDelete}`, put({ toDelete: 0 }, after)]];
    }
    if (one.work === null) return [...found, ...beginSteps(state, one, name, put)];
    const { message, kind } = one.work;
    if (!one.handled) {
      found.push([`${name} has handled ${message}`, put({ handled: true })]);
      if (state.faults > 0 && kind === 'handle') {
        const work = begun(state, one, message, 'set aside');
        found.push([
          `${name} fails at ${message}`,
          put({ work, handled: true }, { ...state, faults: state.faults - 1 }),
        ]);
      }
      return found;
    }
    const after = committed(state, one.work);
    const isOver = { work: null, handled: false };
    // The body is run again, in a transaction that sees what the other one has written.
    if (after === 'conflict')
      found.push([
        `${name} conflicts at ${message}`,
        put({ work: begun(state, one, message, kind), handled: kind === 'set aside' }),
      ]);
    else if (after === 'gone') found.push([`${name} finds failure ${message} gone`, put(isOver)]);
    else if (after === 'no match') found.push([`${name} finds its lease lost`, put(standingBy)]);
    else {
      const position = kind === 'handle again' ? one.position : message;
      const toDelete = kind === 'handle again' && rules.deletesFailure === 'afterwards' ? message : 0;
      found.push([`${name} commits ${message}`, put({ ...isOver, position, toDelete }, after)]);
      const lost = rules.unknown === 'goes on' ? isOver : standingBy;
      if (rules.unknown === 'goes on' || state.lease < bounds.epochs) {
        found.push([`${name} commits ${message} and is not told`, put(lost, after)]);
        if (state.flying.length < bounds.flights)
          found.push([
            `the commit of ${message} by ${name} is late`,
            put(lost, { ...state, flying: [...state.flying, one.work] }),
          ]);
      }
    }
    return found;
  }

  function begun(state: TransactionalState, one: Owner, message: number, kind: Work['kind']): Work {
    return {
      message,
      kind,
      epoch: one.epoch,
      previous: one.position,
      seenEpoch: state.epoch,
      seenPosition: state.position,
      stale: false,
    };
  }

  /** The lowest failure, else the next message of the log; while there is a failure, that is set aside as well. */
  function beginSteps(
    state: TransactionalState,
    one: Owner,
    name: string,
    put: (change: Partial<Owner>) => TransactionalState,
  ): Step<TransactionalState>[] {
    const found: Step<TransactionalState>[] = [];
    const lowest = state.failed.indexOf(true);
    if (lowest > 0)
      found.push([`${name} begins ${lowest} again`, put({ work: begun(state, one, lowest, 'handle again') })]);
    const next = one.position + 1;
    if (next > last) return found;
    if (lowest > 0)
      return [...found, [`${name} queues ${next}`, put({ work: begun(state, one, next, 'set aside'), handled: true })]];
    return [[`${name} begins ${next}`, put({ work: begun(state, one, next, 'handle') })]];
  }

  const none = <T>(value: T): T[] => Array.from({ length: last + 1 }, () => value);
  return {
    initial: {
      lease: 0,
      epoch: 0,
      position: 0,
      failed: none(false),
      effects: none(0),
      owners: Array.from({ length: bounds.owners }, () => standingBy),
      flying: [],
      faults: bounds.faults,
    },
    steps,
    invariants: {
      'each effect is there once at most': ({ effects }) => effects.every((count) => count <= 1),
      'the checkpoint passes only what has its effect or is set aside': ({ effects, position, failed }) =>
        effects.every((count, message) => message === 0 || message > position || count === 1 || failed[message]!),
      'effects come in order': ({ effects }) =>
        effects.every((count, message) => message < 2 || count === 0 || effects[message - 1]! > 0),
    },
    goals: {
      'every effect can still come': ({ effects, failed }) =>
        effects.every((count, message) => message === 0 || count === 1) && !failed.includes(true),
    },
  };
}
