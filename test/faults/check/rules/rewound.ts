import type { ConsumerHistory, HistoryIndex } from '../history-index.js';
import { inWords, type Tell } from '../violation.js';

/** After a rewind everything above is handled again, but for dead letters. */
export function rewound({ consumers, final }: HistoryIndex, tell: Tell): void {
  for (const consumer of consumers) {
    for (const { position, called } of consumer.rewinds.filter(({ accepted }) => accepted < Infinity)) {
      const again = handledAfter(consumer, called);
      for (const dead of consumer.dead) again.add(dead);
      const missing: number[] = [];
      for (let above = position + 1; above <= final.last; above += 1)
        if (!again.has(above) && consumer.takes(above)) missing.push(above);
      if (missing.length > 0) {
        const text = `${consumer.name} was rewound to ${position} at ${called}, and never handled ${inWords(missing)} again`;
        tell(text, { positions: missing, consumers: [consumer.name] });
      }
    }
  }
}

/** A rewind raises the epoch: what an epoch handles that had begun before it was called for is not what it asks for. */
function handledAfter({ events }: ConsumerHistory, called: number): Set<number> {
  const handled = new Set<number>();
  let before = 0;
  for (const event of events) {
    if (event.at <= called) before = Math.max(before, event.epoch);
    else if (event.kind === 'handled' && event.outcome === 'ok' && event.epoch > before) {
      for (const position of event.positions) handled.add(position);
    }
  }
  return handled;
}
