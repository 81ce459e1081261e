import type { HistoryRecord, ProcessHistory } from '../../history/records.js';
import type { ConsumerHistory, HistoryIndex, Of } from '../history-index.js';
import type { Tell } from '../violation.js';

/** The history is one that processes can have written: else the fault suite is wrong, and what the other rules say is void. */
export function historyItself(index: HistoryIndex, tell: Tell): void {
  const begun = new Set<string>();
  const put = new Set<string>();
  for (const { process, records } of index.processes) {
    for (const record of records) {
      if (record.kind !== 'begin') continue;
      if (begun.has(record.tx))
        tell(`transaction ${record.tx} begins again, in ${process}`, { transactions: [record.tx] });
      begun.add(record.tx);
      for (const { uid } of record.messages) {
        if (put.has(uid)) tell(`uid ${uid} is put twice, the second time in ${process}`, { uids: [uid] });
        put.add(uid);
      }
    }
  }
  const ended = new Set<string>();
  for (const one of index.processes) {
    timeOf(one, tell);
    rewindsOf(one, index, tell);
    for (const record of one.records) {
      if (isOutcome(record)) outcomeOf(record, index, ended, tell);
    }
  }
  for (const consumer of index.consumers) deliveriesOf(consumer, tell);
  finalState(index, tell);
}

function isOutcome(record: HistoryRecord): record is Of<'committed' | 'aborted' | 'unknown'> {
  return record.kind === 'committed' || record.kind === 'aborted' || record.kind === 'unknown';
}

function outcomeOf(
  { kind, tx, at }: Of<'committed' | 'aborted' | 'unknown'>,
  index: HistoryIndex,
  ended: Set<string>,
  tell: Tell,
): void {
  const begin = index.transactions.get(tx)?.begin;
  if (begin === undefined) tell(`transaction ${tx} ends (${kind}) and never began`, { transactions: [tx] });
  else if (begin.at > at)
    tell(`transaction ${tx} ends at ${at}, before it began at ${begin.at}`, { transactions: [tx] });
  if (ended.has(tx)) tell(`transaction ${tx} ends again: ${kind} at ${at}`, { transactions: [tx] });
  ended.add(tx);
}

/** A process writes its records one after another. */
function timeOf({ process, records }: ProcessHistory, tell: Tell): void {
  let before = -Infinity;
  for (const [line, { at, kind }] of records.entries()) {
    if (at < before) tell(`${process}: record ${line + 1} (${kind}) at ${at} is after one at ${before}`, {});
    before = at;
  }
}

/** A rewind is written down before it is called for. */
function rewindsOf({ process, records }: ProcessHistory, { consumers }: HistoryIndex, tell: Tell): void {
  const names = new Set(consumers.map(({ name }) => name));
  const rewinding = new Set<string>();
  for (const record of records) {
    if (!('consumer' in record)) continue;
    const { kind, consumer, at } = record;
    if (!names.has(consumer))
      tell(`${process}: ${kind} of ${consumer}, which the final state does not know`, { consumers: [consumer] });
    if (kind === 'rewinding') rewinding.add(`${record.position} ${consumer}`);
    else if (kind === 'rewound' && !rewinding.delete(`${record.position} ${consumer}`))
      tell(`${process}: ${consumer} rewound to ${record.position} at ${at} without a call`, { consumers: [consumer] });
  }
}

/**
 * What is handled was delivered before, and for each delivery once at most. What a relay delivers, its destination writes
 * down, and another process what it was answered.
 */
function deliveriesOf({ name, events }: ConsumerHistory, tell: Tell): void {
  /** How many deliveries have no end yet. */
  const open = new Map<string, number>();
  for (const event of events) {
    if (event.kind === 'handed over') continue;
    const { kind, epoch, at } = event;
    for (const position of kind === 'delivery' ? event.entries.map((seen) => seen.position) : event.positions) {
      const which = `${position} ${epoch}`;
      const left = (open.get(which) ?? 0) + (kind === 'delivery' ? 1 : -1);
      if (left < 0) {
        const text = `${name} ends position ${position} (${at}), which epoch ${epoch} has not been given`;
        tell(text, { positions: [position], consumers: [name] });
      } else if (left === 0) open.delete(which);
      else open.set(which, left);
    }
  }
}

function finalState({ final, transactions, consumers }: HistoryIndex, tell: Tell): void {
  for (const tx of final.committed) {
    const begin = transactions.get(tx)?.begin;
    if (begin === undefined) tell(`transaction ${tx} is stored and never began`, { transactions: [tx] });
    else if (begin.bare === true) tell(`${tx} is no transaction, and has a document of one`, { transactions: [tx] });
  }
  for (const { name, kind, projected } of consumers) {
    if ((kind === 'transactional') !== (projected !== undefined)) {
      tell(`${name} is ${kind}, and its effects are ${projected === undefined ? 'not given' : 'given'}`, {
        consumers: [name],
      });
    }
  }
}
