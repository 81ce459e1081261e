import { expect, it } from 'vitest';

import { check } from '../../faults/check/check.js';
import { slice } from '../../faults/check/slice.js';
import type { History } from '../../faults/history/records.js';
import { HistoryBuilder } from '../../support/faults/history-builder.js';

function evidence(history: History): unknown[] {
  return slice(history, check(history)).map(({ process, at: _, ...record }) => ({ process, ...record }));
}

/** Transactions 1 to 30 of two messages each, all read in pages of ten by two readers. */
function many(): HistoryBuilder {
  const h = new HistoryBuilder();
  for (let n = 1; n <= 30; n += 1) h.put(`t${n}`, `a${n}`, `b${n}`);
  for (const reader of ['r', 's']) {
    h.open(reader, 'beginning');
    for (let page = 0; page < 6; page += 1)
      h.read(
        reader,
        Array.from({ length: 10 }, (_, i) => page * 10 + i + 1),
      );
  }
  return h;
}

it('is nothing where nothing is wrong', () => {
  expect(evidence(many().build())).toEqual([]);
});

it('has the transaction, and the lines of those who saw a part of it, cut down to it', () => {
  const h = many();
  const history = h.begin('t31', 'a31', 'b31').unknown('t31').append('a31').read('r', [61]).build();
  expect(evidence(history)).toEqual([
    { process: 'writer', kind: 'begin', tx: 't31', messages: [expect.objectContaining({ uid: 'a31' })] },
    { process: 'writer', kind: 'unknown', tx: 't31' },
    { process: 'r', kind: 'read', reader: 'r', entries: [{ position: 61, uid: 'a31', created: 1_061 }] },
  ]);
});

it('has of a reader its openings and what it got there, and not what others got', () => {
  const history = many().open('q', { position: 3 }).read('q', [4, 5, 6]).read('q', [8]).build();
  const of = evidence(history) as { process: string; kind: string; entries?: { position: number }[] }[];
  expect(of.filter(({ process }) => process !== 'writer')).toMatchObject([
    { process: 'q', kind: 'open', cursor: { position: 3 } },
    { process: 'q', kind: 'read', entries: [{ position: 6 }] },
    { process: 'q', kind: 'read', entries: [{ position: 8 }] },
  ]);
  expect(of.filter(({ process }) => process === 'writer')).toMatchObject([
    { kind: 'begin', tx: 't3', messages: [{ uid: 'b3' }] },
    { kind: 'committed', tx: 't3' },
    { kind: 'begin', tx: 't4', messages: [{ uid: 'a4' }, { uid: 'b4' }] },
    { kind: 'committed', tx: 't4' },
  ]);
});

it('has of a consumer its deliveries of the message, what became of them, its rewinds and its hand-overs', () => {
  const h = new HistoryBuilder().put('t1', 'a', 'b').readAll().consumer('c').consumer('d');
  h.handle('d', 1, 1, 2).handle('c', 1, 1, 2).handOver('c', 1).rewind('c', 1).handle('c', 3, 2).handOver('c', 3);
  const history = h.handle('c', 4, 1).build();
  expect(evidence(history).map((record) => (record as { kind: string }).kind)).toEqual([
    'begin',
    'committed',
    'delivery',
    'handled',
    'handed over',
    'rewinding',
    'rewound',
    'handed over',
    'delivery',
    'handled',
  ]);
});

it('is in order of time, whichever file a record is in', () => {
  const history = many()
    .begin('t31', 'a31')
    .aborted('t31')
    .append('a31')
    .read('r', [61])
    .build({ pending: ['a1'] });
  const turned = { ...history, processes: [...history.processes].reverse() };
  const records = slice(turned, check(turned));
  expect(records).toEqual(slice(history, check(history)));
  expect(records.map(({ at }) => at)).toEqual(records.map(({ at }) => at).sort((a, b) => a - b));
});

it('is of bounded size: the first and the last records of each violation, and lists cut short', () => {
  const h = new HistoryBuilder().consumer('c').put('t1', 'a').readAll();
  for (let i = 0; i < 500; i += 1) h.deliver('c', 1, 1).failed('c', 1, 1);
  const records = slice(h.build(), check(h.build()));
  expect(records).toHaveLength(200);
  expect(records.at(0)).toMatchObject({ kind: 'begin' });
  expect(records.at(-1)).toMatchObject({ kind: 'handled', at: h.at });

  const wide = new HistoryBuilder().begin('t1', ...Array.from({ length: 300 }, (_, i) => `u${i}`)).committed('t1');
  const [begin] = slice(wide.build(), check(wide.build()));
  expect(begin).toHaveProperty('messages.length', 20);
});
