import type { ConsumerHistory, HistoryIndex, Of } from '../history-index.js';
import type { Tell } from '../violation.js';

/** The messages of a key, or of a strict consumer all. */
interface Lane {
  readonly positions: number[];
  /** Index of the lowest that is not settled. */
  head: number;
}

/**
 * When a message comes, every one of its key (strict: every one) before it has been handled, at any time before, or is
 * poison and has been delivered. What comes earlier in the same batch needs no answer yet. So a rewind or a crash, after
 * which handled messages come again, breaks nothing.
 */
export function order(index: HistoryIndex, tell: Tell): void {
  for (const consumer of index.consumers) oneConsumer(consumer, index, tell);
}

function oneConsumer(consumer: ConsumerHistory, index: HistoryIndex, tell: Tell): void {
  const lanes = lanesOf(consumer, index);
  const delivered = new Set<number>();
  const settled = new Set<number>();
  for (const event of consumer.events) {
    if (event.kind === 'handled' && event.outcome === 'ok')
      for (const position of event.positions) settled.add(position);
    if (event.kind !== 'delivery') continue;
    const earlier = new Set<number>();
    /** Where each lane of this batch goes on. */
    const places = new Map<Lane, number>();
    for (const { position } of event.entries) {
      const lane = lanes.get(position);
      if (lane !== undefined) {
        const isPast = (other: number): boolean => settled.has(other) || earlier.has(other);
        lane.head = pass(lane, lane.head, position, (other) => settled.has(other));
        const place = pass(lane, Math.max(lane.head, places.get(lane) ?? 0), position, isPast);
        places.set(lane, place);
        const waiting = lane.positions[place]!;
        if (waiting < position) {
          tell(early(consumer, event, position, waiting, delivered), {
            positions: [waiting, position],
            consumers: [consumer.name],
          });
          // One violation for each message that was passed over.
          settled.add(waiting);
        }
      }
      earlier.add(position);
    }
    for (const { position, uid } of event.entries) {
      delivered.add(position);
      if (index.puts.get(uid)?.record.poison === true) settled.add(position);
    }
  }
}

/** Goes over positions below `end`. */
function pass({ positions }: Lane, start: number, end: number, isPast: (position: number) => boolean): number {
  let place = start;
  while (positions[place]! < end && isPast(positions[place]!)) place += 1;
  return place;
}

/** The lane of each position that the consumer is to get in order: not of those that only a rewind brings. */
function lanesOf({ order, from, takes }: ConsumerHistory, { final, log, puts }: HistoryIndex): Map<number, Lane> {
  const lanes = new Map<string, Lane>();
  const ofPosition = new Map<number, Lane>();
  for (let position = from + 1; position <= final.last; position += 1) {
    const uid = log.get(position)?.uid;
    if (uid === undefined || !takes(position)) continue;
    const key = order === 'strict' ? '' : puts.get(uid)?.record.key;
    // A message without a key is its own key.
    if (key === undefined) continue;
    const lane = lanes.get(key) ?? { positions: [], head: 0 };
    lane.positions.push(position);
    lanes.set(key, lane);
    ofPosition.set(position, lane);
  }
  return ofPosition;
}

function early(
  { name, order }: ConsumerHistory,
  { at, epoch }: Of<'delivery'>,
  position: number,
  waiting: number,
  delivered: ReadonlySet<number>,
): string {
  const how = delivered.has(waiting) ? 'had not been handled' : 'had not been delivered';
  return `${name} (order ${order}) got ${position} at ${at} in epoch ${epoch}, and ${waiting} before it ${how}`;
}
