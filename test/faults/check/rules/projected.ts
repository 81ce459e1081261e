import type { ConsumerHistory, HistoryIndex } from '../history-index.js';
import type { Tell } from '../violation.js';

/**
 * A transactional consumer stores the effect of each message above the place where it was registered once, and of dead
 * letters, of what was never committed, and of all others none. Each rewind below a message may bring its effect once more.
 */
export function projected(index: HistoryIndex, tell: Tell): void {
  for (const consumer of index.consumers) {
    if (consumer.projected !== undefined) effectsOf(consumer, consumer.projected, index, tell);
  }
}

function effectsOf(
  { name, from, dead, rewinds, takes }: ConsumerHistory,
  stored: readonly string[],
  { final, log, positions, puts }: HistoryIndex,
  tell: Tell,
): void {
  const consumers = [name];
  const counts = new Map<string, number>();
  for (const uid of stored) counts.set(uid, (counts.get(uid) ?? 0) + 1);
  for (const uid of counts.keys()) {
    if (positions.has(uid)) continue;
    const tx = puts.get(uid)?.transaction.begin.tx;
    tell(`${name} stored an effect of ${uid} of ${tx ?? 'nobody'}, which is not in the log`, {
      uids: [uid],
      consumers,
    });
  }
  const deadOnes = new Set(dead);
  for (let position = 1; position <= final.last; position += 1) {
    const uid = log.get(position)?.uid;
    if (uid === undefined) continue;
    const isDead = deadOnes.has(position);
    const again = rewinds.filter((rewind) => rewind.position < position);
    const isDue = position > from || again.some(({ accepted }) => accepted < Infinity);
    const least = isDue && !isDead && takes(position) ? 1 : 0;
    const most = isDead || !takes(position) ? 0 : (position > from ? 1 : 0) + again.length;
    const count = counts.get(uid) ?? 0;
    if (count >= least && count <= most) continue;
    const right = least === most ? `${least}` : `${least} to ${most}`;
    const text = `${name} stored ${count} effects of ${uid} at ${position}${isDead ? ', a dead letter' : ''}, and not ${right}`;
    tell(text, { positions: [position], consumers });
  }
}
