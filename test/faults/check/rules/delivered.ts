import type { HistoryIndex } from '../history-index.js';
import { inWords, type Tell } from '../violation.js';

/** A consumer handles each message above the place where it was registered, or ends it as a dead letter; only poison may. */
export function delivered({ consumers, final, log, puts }: HistoryIndex, tell: Tell): void {
  for (const { name, from, dead, events, takes } of consumers) {
    const done = new Set(dead);
    for (const event of events) {
      if (event.kind === 'handled' && event.outcome === 'ok')
        for (const position of event.positions) done.add(position);
    }
    const missing: number[] = [];
    for (let position = from + 1; position <= final.last; position += 1)
      if (!done.has(position) && takes(position)) missing.push(position);
    if (missing.length > 0) {
      tell(`${name} never handled ${inWords(missing)}`, { positions: missing, consumers: [name] });
    }
    for (const position of dead) {
      const uid = log.get(position)?.uid;
      if (uid === undefined || puts.get(uid)?.record.poison !== true) {
        tell(`${name} has a dead letter at ${position} (${uid}), which is no poison`, {
          positions: [position],
          consumers: [name],
        });
      }
    }
  }
}
