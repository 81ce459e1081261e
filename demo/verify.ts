import type { BrokerRecord } from './brokers/broker.js';

/** What the service recorded of one transaction. */
export interface Placed {
  /** Whose transaction it was, and which of that writer's: a writer begins one when its last has ended. */
  readonly writer: number;
  readonly turn: number;
  readonly outcome: 'committed' | 'aborted';
  /** The ids that `put` returned, in put order. */
  readonly ids: readonly string[];
  /** Wall clock before the transaction began, and when its commit was acknowledged. */
  readonly beganAt: number;
  readonly endedAt: number;
}

export interface Findings {
  readonly committed: number;
  readonly aborted: number;
  /** Different messages in the broker. */
  readonly published: number;
  /** Further records of messages that were in the broker already. */
  readonly resent: number;
  /** Of committed transactions, and not in the broker. */
  readonly lost: number;
  /** In the broker, and of no committed transaction. */
  readonly fromAborted: number;
  readonly outOfOrder: number;
  /** From the commit's acknowledgement to the broker, in milliseconds, sorted. */
  readonly latencies: readonly number[];
}

interface Expected {
  readonly by: Placed;
  readonly index: number;
}

/** Compares what is in the broker with what the service recorded; nothing else is believed. */
export function verify(placed: readonly Placed[], records: readonly BrokerRecord[]): Findings {
  const committed = placed.filter(({ outcome }) => outcome === 'committed');
  const expected = new Map<string, Expected[]>();
  for (const by of committed)
    for (const [index, id] of by.ids.entries()) expected.set(id, [...(expected.get(id) ?? []), { by, index }]);

  const firsts = firstDeliveries(records);
  const delivered = new Map<string, number>();
  let fromAborted = 0;
  for (const { id } of firsts) {
    const count = (delivered.get(id) ?? 0) + 1;
    // Ids need not be unique: so many messages of an id as were committed are right, one more is not.
    if (count > (expected.get(id)?.length ?? 0)) fromAborted += 1;
    else delivered.set(id, count);
  }
  let lost = 0;
  for (const [id, puts] of expected) lost += puts.length - (delivered.get(id) ?? 0);

  // Which of several puts with one id a record stands for cannot be told: only unique ids have an order to check.
  const known = firsts.flatMap((record) => {
    const [put, another] = expected.get(record.id) ?? [];
    return put === undefined || another !== undefined ? [] : [{ record, put }];
  });
  return {
    committed: committed.length,
    aborted: placed.length - committed.length,
    published: firsts.length,
    resent: records.length - firsts.length,
    lost,
    fromAborted,
    outOfOrder: new Set([...notRising(firsts), ...beforeTheirCause(known), ...notInTurn(known)]).size,
    latencies: known.map(({ record, put }) => record.publishedAt - put.by.endedAt).sort((a, b) => a - b),
  };
}

/** A message is told by position and id: only when both are equal is it the same one again. */
function firstDeliveries(records: readonly BrokerRecord[]): BrokerRecord[] {
  const seen = new Set<string>();
  return records.filter(({ position, id }) => {
    const message = `${position} ${id}`;
    return !seen.has(message) && seen.add(message);
  });
}

/** Positions must rise. */
function notRising(firsts: readonly BrokerRecord[]): BrokerRecord[] {
  let highest = 0;
  return firsts.filter(({ position }) => {
    const rises = position > highest;
    highest = Math.max(highest, position);
    return !rises;
  });
}

interface Known {
  readonly record: BrokerRecord;
  readonly put: Expected;
}

/** What began after another was committed must come after it, whoever the writers were. */
function beforeTheirCause(known: readonly Known[]): BrokerRecord[] {
  let earliestCommitBehind = Infinity;
  return known
    .toReversed()
    .filter(({ put }) => {
      const wrong = earliestCommitBehind < put.by.beganAt;
      earliestCommitBehind = Math.min(earliestCommitBehind, put.by.endedAt);
      return wrong;
    })
    .map(({ record }) => record);
}

/** A writer's orders must come in their order, and the messages of one transaction in put order. */
function notInTurn(known: readonly Known[]): BrokerRecord[] {
  const latest = new Map<number, Expected>();
  return known
    .filter(({ put }) => {
      const last = latest.get(put.by.writer);
      latest.set(put.by.writer, put);
      return (
        last !== undefined && (put.by.turn < last.by.turn || (put.by.turn === last.by.turn && put.index < last.index))
      );
    })
    .map(({ record }) => record);
}
