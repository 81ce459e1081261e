import { inWords } from './violation.js';

/** A record of the relay's topic, in the order of its partition. */
export interface TopicRecord {
  readonly position: number;
  readonly key: string | null;
}

/**
 * What a relay left in a topic: every message up to `last`, nothing else; those of a key for the first time in the order of their
 * positions; and hardly any more often than it was given to the publisher.
 *
 * @param given how often each position was given to the publisher
 * @param mostExtra so many may be there more often: a client sends again by itself what a broker that died did not acknowledge
 * @returns what is wrong, in words
 */
export function checkTopic(
  records: readonly TopicRecord[],
  last: number,
  given: ReadonlyMap<number, number>,
  mostExtra: number,
): string[] {
  const stored = new Map<number, number>();
  const reached = new Map<string, number>();
  const overtaken: number[] = [];
  for (const { position, key } of records) {
    const before = stored.get(position) ?? 0;
    stored.set(position, before + 1);
    if (key === null || before > 0) continue;
    if (position < (reached.get(key) ?? 0)) overtaken.push(position);
    reached.set(key, Math.max(position, reached.get(key) ?? 0));
  }
  const all = Array.from({ length: last }, (_, index) => index + 1);
  const extra = [...stored]
    .filter(([position, times]) => times > (given.get(position) ?? 0))
    .map(([position]) => position);
  const problems: [what: string, positions: number[]][] = [
    ['the topic never got', all.filter((position) => !stored.has(position))],
    [
      'the topic has what is not in the log:',
      [...stored.keys()].filter((position) => !(position >= 1 && position <= last)),
    ],
    ['the topic got behind a later message of the key', overtaken],
    ['the topic has more often than it was given to the publisher', extra.length > mostExtra ? extra : []],
  ];
  return problems
    .filter(([, positions]) => positions.length > 0)
    .map(([what, positions]) => `${what} ${inWords(positions)}`);
}
