import { forEachSeen, type HistoryIndex } from '../history-index.js';
import type { Tell } from '../violation.js';

/**
 * What began when another message was known to be there comes after it. Known is a message whose commit was acknowledged,
 * and one that anybody has seen: the log only grows at its end.
 */
export function causality({ processes, transactions, positions, log }: HistoryIndex, tell: Tell): void {
  /** When a position was first known to be there. */
  const known = new Map<number, number>();
  forEachSeen(processes, ({ position }, at) => {
    if (at < (known.get(position) ?? Infinity)) known.set(position, at);
  });
  const beginnings: { at: number; tx: string; lowest: number; uid: string }[] = [];
  for (const { begin, outcome } of transactions.values()) {
    let lowest = Infinity;
    let uid = '';
    for (const message of begin.messages) {
      const position = positions.get(message.uid);
      if (position === undefined) continue;
      if (position < lowest) [lowest, uid] = [position, message.uid];
      if (outcome?.kind === 'committed' && outcome.at < known.get(position)!) known.set(position, outcome.at);
    }
    if (lowest < Infinity) beginnings.push({ at: begin.at, tx: begin.tx, lowest, uid });
  }
  beginnings.sort((a, b) => a.at - b.at);
  const byTime = [...known].sort(([, a], [, b]) => a - b);

  let next = 0;
  let highest = 0;
  for (const { at, tx, lowest, uid } of beginnings) {
    for (let one = byTime[next]; one !== undefined && one[1] < at; one = byTime[(next += 1)]) {
      highest = Math.max(highest, one[0]);
    }
    if (lowest > highest) continue;
    const other = log.get(highest)?.uid;
    const text = `${uid} of ${tx}, begun at ${at}, is at ${lowest}; ${other} at ${highest} was there by ${known.get(highest)}`;
    tell(text, { transactions: [tx], positions: [lowest, highest] });
  }
}
