import type { HistoryIndex } from '../history-index.js';
import type { Tell } from '../violation.js';

/** Within a transaction positions rise in put order. Messages of others may be between them. */
export function putOrder({ transactions, positions }: HistoryIndex, tell: Tell): void {
  for (const { begin } of transactions.values()) {
    let before: { uid: string; position: number } | undefined;
    for (const { uid } of begin.messages) {
      const position = positions.get(uid);
      if (position === undefined) continue;
      if (before !== undefined && position < before.position) {
        tell(`${begin.tx} put ${before.uid} before ${uid}, and they are at ${before.position} and ${position}`, {
          transactions: [begin.tx],
          positions: [position, before.position],
        });
      }
      before = { uid, position };
    }
  }
}
