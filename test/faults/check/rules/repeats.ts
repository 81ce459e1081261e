import type { ConsumerHistory, HistoryIndex, Of } from '../history-index.js';
import type { Rewind } from '../rewinds.js';
import { inWords, type Tell } from '../violation.js';

interface Ok {
  readonly epoch: number;
  readonly at: number;
}

/**
 * What an earlier epoch handled comes again only because of a rewind, or of a crash: then at most `batchSize` messages in
 * an epoch. What an epoch handled that then handed over never comes again, whatever becomes of later ones: it was not in
 * flight at their crash. Of a transactional consumer that can't be said, since `ok` is written before the commit: what it
 * stores is another rule.
 */
export function repeats({ consumers }: HistoryIndex, tell: Tell): void {
  for (const consumer of consumers) oneConsumer(consumer, tell);
}

function oneConsumer(consumer: ConsumerHistory, tell: Tell): void {
  const { name, kind, batchSize, rewinds, events } = consumer;
  const handedOver = kind === 'transactional' ? new Map<number, number>() : handOvers(consumer);
  const oks = new Map<number, Ok[]>();
  /** Of each epoch, what came again. */
  const again = new Map<number, Set<number>>();
  for (const event of events) {
    if (event.kind === 'handled' && event.outcome === 'ok') {
      for (const position of event.positions) note(oks, position, event);
    }
    if (event.kind !== 'delivery') continue;
    for (const { position } of event.entries) {
      const earlier = oks
        .get(position)
        ?.filter(({ epoch, at }) => epoch < event.epoch && !isRewound(position, at, event, rewinds));
      if (earlier === undefined || earlier.length === 0) continue;
      const settled = earlier.find(({ epoch, at }) => at <= (handedOver.get(epoch) ?? -Infinity));
      if (settled !== undefined) {
        const text = `${name} got ${position} again at ${event.at} in epoch ${event.epoch}; epoch ${settled.epoch} handled it at ${settled.at} and handed over at ${handedOver.get(settled.epoch)}`;
        tell(text, { positions: [position], consumers: [name] });
      }
      const repeated = again.get(event.epoch) ?? new Set();
      again.set(event.epoch, repeated.add(position));
    }
  }
  for (const [epoch, repeated] of again) {
    if (repeated.size <= batchSize) continue;
    const positions = [...repeated].sort((a, b) => a - b);
    const text = `${name} got ${repeated.size} messages again in epoch ${epoch}, and its batch size is ${batchSize}: ${inWords(positions)}`;
    tell(text, { positions, consumers: [name] });
  }
}

/** When epochs handed over. One that a later epoch had overtaken had lost its place: it had nothing to hand over. */
function handOvers({ events }: ConsumerHistory): Map<number, number> {
  const all = new Map<number, number>();
  let highest = 0;
  for (const { kind, epoch, at } of events) {
    if (kind === 'handed over' && epoch >= highest) all.set(epoch, at);
    highest = Math.max(highest, epoch);
  }
  return all;
}

/** Whether a rewind that may have been accepted between the two asks for it. */
function isRewound(position: number, handledAt: number, { at }: Of<'delivery'>, rewinds: readonly Rewind[]): boolean {
  return rewinds.some((rewind) => rewind.position < position && rewind.called < at && handledAt < rewind.accepted);
}

/** The last `ok` of each epoch. */
function note(oks: Map<number, Ok[]>, position: number, { epoch, at }: Ok): void {
  const others = oks.get(position)?.filter((ok) => ok.epoch !== epoch) ?? [];
  oks.set(position, [...others, { epoch, at }]);
}
