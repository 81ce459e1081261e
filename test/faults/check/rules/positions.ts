import { forEachSeen, type HistoryIndex } from '../history-index.js';
import { inWords, type Tell } from '../violation.js';

/** All observers see the same message at a position, no message is at two, and the positions are 1, 2, 3 … to the last. */
export function positions({ processes, final, log, positions: positionOf }: HistoryIndex, tell: Tell): void {
  forEachSeen(processes, ({ position, uid }, at, observer) => {
    const other = log.get(position)?.uid;
    if (other !== undefined && other !== uid) {
      tell(`position ${position} is ${uid} for ${observer} at ${at}, and ${other} for others`, {
        positions: [position],
        uids: [uid, other],
      });
    }
    const elsewhere = positionOf.get(uid);
    if (elsewhere !== undefined && elsewhere !== position) {
      tell(`uid ${uid} is at positions ${elsewhere} and ${position}, the latter for ${observer} at ${at}`, {
        uids: [uid],
        positions: [elsewhere, position],
      });
    }
  });
  for (const position of log.keys()) {
    if (!Number.isInteger(position) || position < 1 || position > final.last) {
      tell(`position ${position} was seen, and the log ends at ${final.last}`, { positions: [position] });
    }
  }
  const missing: number[] = [];
  for (let position = 1; position <= final.last; position += 1) if (!log.has(position)) missing.push(position);
  if (missing.length > 0) {
    tell(`of the positions 1-${final.last} nobody saw ${inWords(missing)}`, { positions: missing });
  }
}
