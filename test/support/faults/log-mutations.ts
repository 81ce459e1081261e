import { one, positions, type Mutation } from './mutation.js';
import type { OpenHistory } from './open-history.js';

/** Transactions of which all is in the log. */
const whole = (h: OpenHistory) =>
  h.of('begin').filter(({ messages }) => messages.every(({ uid }) => h.positionOf(uid)));
const pages = (h: OpenHistory, length: number) => h.of('read').filter(({ entries }) => entries.length >= length);

/** Of the log, and of those who read it. */
export const logMutations: readonly Mutation[] = [
  [
    'an acknowledged message is lost',
    'atomic',
    one(
      (h) => whole(h).filter(({ tx }) => h.outcome(tx)?.kind === 'committed'),
      ({ messages }, h, random) => h.lose(h.positionOf(random.of(messages).uid)!),
    ),
  ],
  [
    'of a transaction whose end is unknown a message is lost',
    'atomic',
    one(
      (h) => whole(h).filter(({ tx, bare }) => bare !== true && h.outcome(tx)?.kind !== 'committed'),
      ({ messages }, h, random) => h.lose(h.positionOf(random.of(messages).uid)!),
    ),
  ],
  [
    'of a put outside a transaction the first is lost, and not the others',
    'atomic',
    one(
      (h) => whole(h).filter(({ bare, messages }) => bare === true && messages.length > 1),
      ({ messages }, h) => h.lose(h.positionOf(messages[0]!.uid)!),
    ),
  ],
  [
    'what was aborted is seen',
    'atomic',
    one(
      (h) => whole(h).flatMap(({ tx }) => h.outcome(tx) ?? []),
      (outcome) => {
        outcome.kind = 'aborted';
      },
    ),
  ],
  [
    'a document is gone',
    'atomic',
    one(
      (h) => h.value.final.committed,
      (tx, h) => {
        h.value.final.committed = h.value.final.committed.filter((other) => other !== tx);
      },
    ),
  ],
  [
    'nobody put it',
    'atomic',
    one(positions, (position, h) => {
      for (const seen of h.seen) if (seen.position === position) seen.uid = 'nobody';
    }),
  ],
  [
    'a message is left in pending',
    'atomic',
    one(
      (h) => h.of('begin').flatMap(({ messages }) => messages),
      ({ uid }, h) => {
        h.value.final.pending.push(uid);
      },
    ),
  ],
  [
    'somebody sees another message',
    'positions',
    one(
      (h) => h.seen,
      (seen, h) => {
        seen.uid = h.log.get(seen.position === 1 ? 2 : seen.position - 1)!.uid;
      },
    ),
  ],
  ['nobody sees the last', 'positions', (h) => (h.value.final.last += 1) > 0],
  [
    'created falls',
    'created',
    one(
      (h) => positions(h).filter((position) => position > 1),
      (position, h) => {
        const { created } = h.log.get(position - 1)!;
        for (const seen of h.seen) if (seen.position === position) seen.created = created - 1;
      },
    ),
  ],
  [
    'created differs',
    'created',
    one(
      (h) => h.seen,
      (seen) => {
        seen.created += 1;
      },
    ),
  ],
  [
    'what began later comes first',
    'causality',
    one(
      (h) => {
        const known = whole(h).filter(({ tx }) => h.outcome(tx)?.kind === 'committed');
        return known.flatMap((a) => {
          const b = whole(h).find(({ at }) => at > h.outcome(a.tx)!.at);
          return b === undefined
            ? []
            : [[h.positionOf(a.messages[0]!.uid)!, h.positionOf(b.messages[0]!.uid)!] as const];
        });
      },
      ([a, b], h) => h.swap(a, b),
    ),
  ],
  [
    'put order is turned round',
    'put order',
    one(
      (h) => whole(h).filter(({ messages }) => messages.length > 1),
      ({ messages }, h) => h.swap(h.positionOf(messages[0]!.uid)!, h.positionOf(messages[1]!.uid)!),
    ),
  ],
  [
    'a reader skips',
    'readers',
    one(
      (h) => pages(h, 3),
      ({ entries }) => {
        entries.splice(1, 1);
      },
    ),
  ],
  [
    'a reader gets one twice',
    'readers',
    one(
      (h) => pages(h, 1),
      ({ entries }, _, random) => {
        entries.unshift(random.of(entries));
      },
    ),
  ],
  [
    'a reader gets two in the wrong order',
    'readers',
    one(
      (h) => pages(h, 2),
      ({ entries }) => {
        entries.splice(0, 2, entries[1]!, entries[0]!);
      },
    ),
  ],
  [
    'a reader begins too late',
    'readers',
    one(
      (h) =>
        h.value.processes.flatMap(({ records }) =>
          records.flatMap((record, n) => {
            const next = records[n + 1];
            const opens = record.kind === 'open' && record.cursor !== 'end';
            return opens && next?.kind === 'read' && next.entries.length > 1 ? [next] : [];
          }),
        ),
      ({ entries }) => {
        entries.shift();
      },
    ),
  ],
  [
    'a reader is told that its position is lost',
    'readers',
    one(
      (h) => pages(h, 1),
      (page, h) => h.append({ kind: 'position lost', at: 0, reader: page.reader }),
    ),
  ],
];
