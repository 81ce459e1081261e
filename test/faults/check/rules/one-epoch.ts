import type { HistoryIndex } from '../history-index.js';
import type { Tell } from '../violation.js';

/**
 * What an epoch has handled it does not get again: its owner knows. A transactional one may, since its `ok` is written
 * before a commit that can fail.
 */
export function oneEpoch({ consumers }: HistoryIndex, tell: Tell): void {
  for (const { name, kind, events } of consumers) {
    if (kind === 'transactional') continue;
    const handled = new Map<number, Map<number, number>>();
    for (const event of events) {
      if (event.kind === 'handed over') continue;
      const ofEpoch = handled.get(event.epoch) ?? new Map<number, number>();
      handled.set(event.epoch, ofEpoch);
      if (event.kind === 'handled') {
        if (event.outcome === 'ok') for (const position of event.positions) ofEpoch.set(position, event.at);
        continue;
      }
      for (const { position } of event.entries) {
        const at = ofEpoch.get(position);
        if (at === undefined) continue;
        tell(`${name} got ${position} again at ${event.at} in epoch ${event.epoch}, which had handled it at ${at}`, {
          positions: [position],
          consumers: [name],
        });
      }
    }
  }
}
