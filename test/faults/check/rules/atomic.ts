import type { HistoryIndex, Transaction } from '../history-index.js';
import type { Tell } from '../violation.js';

/**
 * A transaction is in the log as a whole or not at all: as a whole where its commit was acknowledged, not at all where it
 * was aborted, and where neither is known just when its own document is there. A put outside any transaction has none:
 * where its outcome is not known, a first part of it may be there. At rest nothing is pending.
 */
export function atomic(index: HistoryIndex, tell: Tell): void {
  const { final, transactions, puts, positions } = index;
  const stored = new Set(final.committed);
  for (const transaction of transactions.values()) {
    if (transaction.begin.bare === true) bare(transaction, positions, tell);
    else ofTransaction(transaction, stored, positions, tell);
  }
  for (const uid of final.pending) {
    const tx = puts.get(uid)?.transaction.begin.tx;
    tell(`uid ${uid} of ${tx ?? 'nobody'} is still pending`, {
      uids: [uid],
      transactions: tx === undefined ? [] : [tx],
    });
  }
  for (const [uid, position] of positions) {
    if (!puts.has(uid))
      tell(`uid ${uid} is at position ${position}, and nobody put it`, { uids: [uid], positions: [position] });
  }
}

function ofTransaction(
  transaction: Transaction,
  stored: ReadonlySet<string>,
  positions: ReadonlyMap<string, number>,
  tell: Tell,
): void {
  const { tx } = transaction.begin;
  const transactions = [tx];
  const ended = outcome(transaction);
  const isStored = stored.has(tx);
  if (ended === 'committed' && !isStored)
    tell(`transaction ${tx} committed, and its own document is gone`, { transactions });
  if (ended === 'aborted' && isStored)
    tell(`transaction ${tx} aborted, and its own document is there`, { transactions });

  const { there, missing } = parts(transaction, positions);
  const expected = ended === 'committed' || (ended !== 'aborted' && isStored);
  const how = `transaction ${tx} (${ended}, its own document ${isStored ? 'there' : 'not there'})`;
  if (expected && missing.length > 0)
    tell(`${how} has not all in the log: no ${some(missing)}`, { transactions, uids: missing });
  if (!expected && there.length > 0) tell(`${how} was seen: ${some(there)}`, { transactions, uids: there });
}

function bare(transaction: Transaction, positions: ReadonlyMap<string, number>, tell: Tell): void {
  const { tx, messages } = transaction.begin;
  const transactions = [tx];
  const ended = outcome(transaction);
  const { there, missing } = parts(transaction, positions);
  if (ended === 'committed') {
    if (missing.length > 0)
      tell(`put ${tx} was acknowledged, and ${some(missing)} is not in the log`, { transactions, uids: missing });
  } else if (ended === 'aborted') {
    if (there.length > 0) tell(`put ${tx} was refused, and ${some(there)} was seen`, { transactions, uids: there });
  } else if (messages.slice(0, there.length).some(({ uid }) => !positions.has(uid))) {
    tell(`put ${tx} (${ended}) is there with a gap: ${some(there)}, no ${some(missing)}`, {
      transactions,
      uids: missing,
    });
  }
}

function outcome({ outcome }: Transaction): 'committed' | 'aborted' | 'unknown' {
  return outcome?.kind ?? 'unknown';
}

function parts({ begin }: Transaction, positions: ReadonlyMap<string, number>): Record<'there' | 'missing', string[]> {
  const uids = begin.messages.map(({ uid }) => uid);
  return { there: uids.filter((uid) => positions.has(uid)), missing: uids.filter((uid) => !positions.has(uid)) };
}

function some(uids: readonly string[]): string {
  return uids.slice(0, 5).join(', ') + (uids.length > 5 ? ` and ${uids.length - 5} more` : '');
}
