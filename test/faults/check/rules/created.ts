import { forEachSeen, type HistoryIndex } from '../history-index.js';
import type { Tell } from '../violation.js';

/** `created` is the same for all observers, and never falls as the position rises. */
export function created({ processes, final, log }: HistoryIndex, tell: Tell): void {
  forEachSeen(processes, (seen, at, observer) => {
    const other = log.get(seen.position)?.created;
    if (other !== undefined && other !== seen.created) {
      tell(`position ${seen.position} was created ${seen.created} for ${observer} at ${at}, and ${other} for others`, {
        positions: [seen.position],
      });
    }
  });
  let before = log.get(1);
  for (let position = 2; position <= final.last; position += 1) {
    const here = log.get(position);
    if (here === undefined) continue;
    if (before !== undefined && here.created < before.created) {
      tell(`position ${position} was created ${here.created}, and ${before.position} before it ${before.created}`, {
        positions: [before.position, position],
      });
    }
    before = here;
  }
}
