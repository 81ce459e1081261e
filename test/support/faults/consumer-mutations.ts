import { one, positions, type Mutation } from './mutation.js';
import type { OpenHistory, OpenOf } from './open-history.js';

const isPoison = (h: OpenHistory, position: number) => h.put(position)?.poison === true;
const certain = (h: OpenHistory) => h.value.final.consumers.filter(({ kind }) => kind !== 'transactional');
const transactional = (h: OpenHistory) => h.value.final.consumers.filter(({ kind }) => kind === 'transactional');
const delivery = (consumer: string, epoch: number, h: OpenHistory, of: number[]): OpenOf<'delivery'> => ({
  kind: 'delivery',
  at: 0,
  consumer,
  epoch,
  entries: of.map((position) => ({ ...h.log.get(position)! })),
});
const lastEpoch = (h: OpenHistory, consumer: string) =>
  Math.max(...h.of('delivery').map((record) => (record.consumer === consumer ? record.epoch : 0)));

/** Two positions of a lane of the consumer, the lower one first. */
function pairs(h: OpenHistory): { consumer: string; low: number; high: number }[] {
  return h.value.final.consumers.flatMap(({ name, order, from }) => {
    const own = positions(h).filter((position) => position > from);
    const lane = (position: number) => (order === 'strict' ? '' : (h.put(position)?.key ?? position));
    const last = new Map<string | number, number>();
    return own
      .sort((a, b) => a - b)
      .flatMap((high) => {
        const low = last.get(lane(high));
        last.set(lane(high), high);
        return low === undefined ? [] : [{ consumer: name, low, high }];
      });
  });
}

/** Of consumers, and of the history itself. */
export const consumerMutations: readonly Mutation[] = [
  [
    'a message is never handled',
    'delivered',
    one(
      (h) =>
        h.value.final.consumers.flatMap(({ name, from, dead }) =>
          positions(h)
            .filter((position) => position > from && !dead.includes(position))
            .map((position) => ({ name, position })),
        ),
      ({ name, position }, h) => {
        for (const record of h.of('handled')) {
          if (record.consumer === name && record.outcome === 'ok')
            record.positions = record.positions.filter((other) => other !== position);
        }
      },
    ),
  ],
  [
    'a good message is a dead letter',
    'delivered',
    one(
      (h) =>
        h.value.final.consumers.flatMap(({ dead }) =>
          positions(h)
            .filter((position) => !isPoison(h, position))
            .map((position) => ({ dead, position })),
        ),
      ({ dead, position }) => {
        dead.push(position);
      },
    ),
  ],
  [
    'a rewind is not served',
    'rewound',
    one(
      (h) =>
        h.of('rewound').flatMap(({ consumer, position, at }) => {
          const dead = h.value.final.consumers.find(({ name }) => name === consumer)!.dead;
          return positions(h)
            .filter((other) => other > position && !dead.includes(other))
            .map((other) => ({ consumer, other, at }));
        }),
      ({ consumer, other, at }, h) => {
        for (const record of h.of('handled')) {
          if (record.consumer === consumer && record.at > at)
            record.positions = record.positions.filter((position) => position !== other);
        }
      },
    ),
  ],
  [
    'two of a lane come the other way round',
    'order',
    one(pairs, ({ consumer, low, high }, h) => {
      const [a, b] = [h.log.get(low)!, h.log.get(high)!];
      const turned = (position: number) => (position === low ? high : position === high ? low : position);
      for (const record of h.of('delivery', 'handled')) {
        if (record.consumer !== consumer) continue;
        if (record.kind === 'handled') record.positions = record.positions.map(turned);
        else
          record.entries = record.entries.map((seen) =>
            seen.position === low ? { ...b } : seen.position === high ? { ...a } : seen,
          );
      }
    }),
  ],
  [
    'what was handled before a hand-over comes again',
    'repeats',
    one(
      (h) =>
        certain(h).flatMap(({ name }) => {
          const ends = h.of('handed over').filter(({ consumer }) => consumer === name);
          const over = new Map(ends.map(({ epoch, at }) => [epoch, at]));
          const open = h.of('rewinding').filter(({ consumer }) => consumer === name);
          // A rewind that nobody knows the end of would explain it.
          if (open.length > h.of('rewound').filter(({ consumer }) => consumer === name).length) return [];
          return [...h.handled(name)]
            .filter(([, { epoch, at }]) => at < (over.get(epoch) ?? 0))
            .map(([position]) => ({ name, position }));
        }),
      ({ name, position }, h) => h.append(delivery(name, lastEpoch(h, name) + 1, h, [position])),
    ),
  ],
  [
    'more than the batch size comes again',
    'repeats',
    one(
      (h) =>
        certain(h).filter(({ name, batchSize }) => {
          const count = (kind: 'rewinding' | 'rewound') =>
            h.of(kind).filter(({ consumer }) => consumer === name).length;
          return count('rewinding') === count('rewound') && h.handled(name).size > batchSize;
        }),
      ({ name, batchSize }, h) =>
        h.append(delivery(name, lastEpoch(h, name) + 1, h, [...h.handled(name).keys()].slice(0, batchSize + 1))),
    ),
  ],
  [
    'what was handled comes again in its epoch',
    'repeated in one epoch',
    one(
      (h) =>
        certain(h).flatMap(({ name }) =>
          [...h.handled(name)].map(([position, { epoch }]) => ({ name, position, epoch })),
        ),
      ({ name, position, epoch }, h) => h.append(delivery(name, epoch, h, [position])),
    ),
  ],
  [
    'an effect is stored twice',
    'projected',
    one(
      (h) => transactional(h).filter(({ projected }) => projected!.length > 0),
      ({ projected }, _, random) => {
        projected!.push(random.of(projected!));
      },
    ),
  ],
  [
    'an effect is not stored',
    'projected',
    one(
      (h) => transactional(h).filter(({ projected }) => projected!.length > 0),
      ({ projected }) => {
        projected!.pop();
      },
    ),
  ],
  [
    'an effect of nobody is stored',
    'projected',
    one(transactional, ({ projected }) => {
      projected!.push('nobody');
    }),
  ],
  [
    'an effect of a dead letter is stored',
    'projected',
    one(
      (h) => transactional(h).filter(({ dead }) => dead.length > 0),
      ({ projected, dead }, h, random) => {
        projected!.push(h.log.get(random.of(dead))!.uid);
      },
    ),
  ],
  [
    'a transaction ends twice',
    'history',
    one(
      (h) => h.of('committed', 'aborted', 'unknown'),
      (outcome, h) => h.append({ ...outcome }),
    ),
  ],
  [
    'a uid is put twice',
    'history',
    one(
      (h) => h.of('begin'),
      ({ messages }, h) => h.append({ kind: 'begin', at: 0, tx: 'again', messages }),
    ),
  ],
  ['what is not known ends', 'history', (h) => (h.append({ kind: 'unknown', at: 0, tx: 'not known' }), true)],
  [
    'time runs back',
    'history',
    one(
      (h) => h.value.processes.filter(({ records }) => records.length > 1),
      ({ records }) => {
        records[0]!.at = records[1]!.at + 1;
      },
    ),
  ],
  [
    'a delivery is not written down',
    'history',
    one(
      (h) => {
        const which = (record: OpenOf<'delivery' | 'handled'>, position: number) =>
          `${record.consumer} ${record.epoch} ${position}`;
        const ended = new Set(h.of('handled').flatMap((end) => end.positions.map((position) => which(end, position))));
        // The first one: a later one may have had no end when its process died.
        const first = new Map(
          h
            .of('delivery')
            .toReversed()
            .map((record) => [which(record, record.entries[0]!.position), record]),
        );
        return [...first].flatMap(([key, record]) => (ended.has(key) ? [record] : []));
      },
      (record, h) => h.remove(record),
    ),
  ],
];
