import { describe, expect, it } from 'vitest';

import { check } from '../../faults/check/check.js';
import { itBreaks, itKeeps } from '../../support/faults/broken-rules.js';
import { HistoryBuilder } from '../../support/faults/history-builder.js';

describe('history', () => {
  itKeeps('nothing happened', (h) => h);
  itKeeps('two processes with clocks that run alike, files in any order', (h) =>
    h.put('t1', 'a').readAll().write('b', { kind: 'begin', tx: 't0', messages: [] }, 0.5),
  );
  itBreaks('history', 'a uid is put twice', /uid a is put twice, the second time in writer/, (h) =>
    h.begin('t1', 'a').begin('t2', 'a'),
  );
  itBreaks('history', 'a transaction begins twice', /t1 begins again, in writer/, (h) =>
    h.begin('t1').begin('t1').committed('t1').stored('t1'),
  );
  itBreaks('history', 'a transaction ends twice', /t1 ends again: committed at 3/, (h) =>
    h.begin('t1').unknown('t1').committed('t1').stored('t1'),
  );
  itBreaks('history', 'what never began ends', /t2 ends \(aborted\) and never began/, (h) => h.aborted('t2'));
  itBreaks('history', 'an end before its beginning', /t1 ends at 1, before it began at 2/, (h) =>
    h.write('b', { kind: 'aborted', tx: 't1' }).begin('t1'),
  );
  itBreaks('history', 'what never began is stored', /t2 is stored and never began/, (h) => h.stored('t2'));
  itBreaks('history', 'what is no transaction is stored', /b1 is no transaction/, (h) =>
    h.bare('b1', 'a').committed('b1').append('a').readAll().stored('b1'),
  );
  itBreaks('history', 'time runs back within a process', /writer: record 2 \(aborted\) at 3 is after one at 5/, (h) =>
    h
      .write('writer', { kind: 'begin', tx: 't1', messages: [] }, 5)
      .write('writer', { kind: 'aborted', tx: 't1' }, 3)
      .write('b', { kind: 'begin', tx: 't1b', messages: [] }, 1),
  );
  itBreaks('history', 'handled and never delivered', /c ends position 1 \(5\), which epoch 1 has not been given/, (h) =>
    h.consumer('c').put('t1', 'a').readAll().failed('c', 1, 1).handle('c', 1, 1),
  );
  itBreaks(
    'history',
    'handled in another epoch than delivered',
    /c ends position 1 \(6\), which epoch 2 has not been given/,
    (h) => h.consumer('c').put('t1', 'a').readAll().deliver('c', 1, 1).ok('c', 2, 1),
  );
  itBreaks('history', 'handled twice, delivered once', /c ends position 1 \(7\)/, (h) =>
    h.consumer('c').put('t1', 'a').readAll().handle('c', 1, 1).ok('c', 1, 1),
  );
  itBreaks('history', 'a consumer that nobody knows', /delivery of d, which the final state does not know/, (h) =>
    h.put('t1', 'a').readAll().deliver('d', 1, 1),
  );
  itBreaks('history', 'a rewind without a call', /c rewound to 0 at 1 without a call/, (h) =>
    h.consumer('c').rewound('c', 0),
  );
  itBreaks('history', 'a projection without its effects', /c is transactional, and its effects are not given/, (h) =>
    h.consumer('c', { kind: 'transactional' }),
  );
});

describe('what is told', () => {
  it('names a few of each rule, and says how many more there are', () => {
    const h = new HistoryBuilder().put('t1', 'a').readAll();
    const pending = Array.from({ length: 50 }, (_, i) => `p${i}`);
    const violations = check(h.build({ pending }));
    expect(violations).toHaveLength(21);
    expect(violations.at(-1)).toEqual({ rule: 'atomic', text: 'and 30 more' });
  });

  it('puts long lists of positions into few words', () => {
    const h = new HistoryBuilder().consumer('c');
    const [violation] = check(h.build({ last: 1_000 }));
    expect(violation?.text).toBe('of the positions 1-1000 nobody saw 1-1000');
    h.put('t1', ...Array.from({ length: 100 }, (_, i) => `u${i}`)).readAll();
    h.handle('c', 1, ...Array.from({ length: 50 }, (_, i) => 2 * i + 1));
    expect(check(h.build()).map(({ text }) => text)).toEqual([
      'c never handled 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 40 more ranges',
    ]);
  });
});
