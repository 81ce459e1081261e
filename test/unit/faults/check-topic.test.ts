import { expect, it } from 'vitest';

import { checkTopic } from '../../faults/check/check-topic.js';

const once = new Map([1, 2, 3, 4].map((position) => [position, 1]));
const topic = (...records: [position: number, key: string | null][]) =>
  records.map(([position, key]) => ({ position, key }));

it.each<[string, ReturnType<typeof topic>, ReadonlyMap<number, number>, RegExp | undefined]>([
  ['everything once', topic([1, 'a'], [3, 'a'], [2, 'b'], [4, null]), once, undefined],
  [
    'a batch that was sent again',
    topic([1, 'a'], [2, 'a'], [1, 'a'], [2, 'a'], [3, 'a'], [4, 'a']),
    new Map([
      [1, 2],
      [2, 2],
      [3, 1],
      [4, 1],
    ]),
    undefined,
  ],
  ['one is missing', topic([1, 'a'], [2, 'a'], [4, 'a']), once, /never got 3$/],
  [
    'one is of nowhere',
    topic([1, 'a'], [2, 'a'], [3, 'a'], [4, 'a'], [9, 'a']),
    new Map([...once, [9, 1]]),
    /not in the log: 9$/,
  ],
  [
    'a key is out of order',
    topic([1, 'a'], [3, 'a'], [2, 'a'], [4, 'b']),
    once,
    /behind a later message of the key 2$/,
  ],
  [
    'one is there twice and was sent once',
    topic([1, 'a'], [2, 'a'], [2, 'a'], [3, 'a'], [4, 'a']),
    once,
    /more often .* 2$/,
  ],
])('%s', (_name, records, given, problem) => {
  const found = checkTopic(records, 4, given, 0);
  if (problem === undefined) expect(found).toEqual([]);
  else expect(found).toEqual([expect.stringMatching(problem)]);
});

it('so many may be there more often than they were given', () => {
  expect(checkTopic(topic([1, 'a'], [1, 'a'], [2, 'a'], [3, 'a'], [4, 'a']), 4, once, 1)).toEqual([]);
});
