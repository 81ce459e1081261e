import { describe } from 'vitest';

import { itBreaks, itKeeps } from '../../support/faults/broken-rules.js';
import type { HistoryBuilder } from '../../support/faults/history-builder.js';

/** Positions 1 to 5, created 1001 to 1005. */
const five = (h: HistoryBuilder) => h.put('t1', 'a', 'b', 'c', 'd', 'e').readAll();
/** The same, of which 1 and 2 have been overwritten. */
const evicted = (h: HistoryBuilder) => h.build({ first: 3 });

describe('steps', () => {
  itKeeps('pages, an empty one too', (h) =>
    five(h).open('r', 'beginning').read('r', [1, 2]).read('r', []).read('r', [3]),
  );
  itKeeps('killed before it stored its place, and started again from an older one', (h) =>
    five(h).open('r', 'beginning').read('r', [1, 2, 3]).open('r', { position: 1 }, 'r2').read('r', [2, 3], 'r2'),
  );
  itBreaks('readers', 'it skips within a page', /got at \d+ 3 instead of 2: it skipped/, (h) =>
    five(h).open('r', 'beginning').read('r', [1, 3, 4]),
  );
  itBreaks('readers', 'it skips between pages', /4 instead of 3: it skipped/, (h) =>
    five(h).open('r', 'beginning').read('r', [1, 2]).read('r', [4]),
  );
  itBreaks('readers', 'it gets one again', /2 instead of 3: it went back/, (h) =>
    five(h).open('r', 'beginning').read('r', [1, 2]).read('r', [2, 3]),
  );
  itBreaks('readers', 'it goes back', /1 instead of 3: it went back/, (h) =>
    five(h).open('r', 'beginning').read('r', [1, 2, 1]),
  );
  itBreaks('readers', 'it gets messages and was never open', /r got messages at 5, and was not open/, (h) =>
    five(h).read('r', [1]),
  );
});

describe('from a position', () => {
  itKeeps('the next one', (h) => five(h).open('r', { position: 2 }).read('r', [3, 4]));
  itBreaks('readers', 'one too late', /got at \d+ 4 instead of 3: it skipped/, (h) =>
    five(h).open('r', { position: 2 }).read('r', [4]),
  );
  itBreaks('readers', 'its own again', /2 instead of 3: it went back/, (h) =>
    five(h).open('r', { position: 2 }).read('r', [2]),
  );
});

describe('from the beginning', () => {
  itBreaks('readers', 'not the first', /2 first, and the log has 1/, (h) =>
    five(h).open('r', 'beginning').read('r', [2]),
  );
  itKeeps('the oldest that was there then', (h) => evicted(five(h).open('r', 'beginning').read('r', [2, 3])));
  itKeeps('the oldest that is there still', (h) => evicted(five(h).open('r', 'beginning').read('r', [3, 4])));
  itBreaks('readers', 'not the oldest', /4 first, and the log has 3/, (h) =>
    evicted(five(h).open('r', 'beginning').read('r', [4])),
  );
});

describe('from a date', () => {
  itKeeps('inclusive', (h) => five(h).open('r', { date: 1_003 }).read('r', [3, 4]));
  itKeeps('all of its millisecond', (h) => {
    h.put('t1', 'a', 'b', 'c').log[1]!.created = 1_003;
    return h.readAll().open('r', { date: 1_002.5 }).read('r', [2, 3]);
  });
  itBreaks('readers', 'not all of its millisecond', /3 first, and not 2, created 1003/, (h) => {
    h.put('t1', 'a', 'b', 'c').log[1]!.created = 1_003;
    return h.readAll().open('r', { date: 1_003 }).read('r', [3]);
  });
  itBreaks('readers', 'too early', /2 first, created 1002/, (h) =>
    five(h).open('r', { date: 1_003 }).read('r', [2, 3]),
  );
  itKeeps('before all', (h) => five(h).open('r', { date: 5 }).read('r', [1]));
});

describe('from the end', () => {
  itKeeps('anywhere', (h) => five(h).open('r', 'end').read('r', [4, 5]));
  itBreaks('readers', 'then it skips', /5 instead of 4: it skipped/, (h) => five(h).open('r', 'end').read('r', [3, 5]));
});

describe('a lost position', () => {
  itKeeps('which has been overwritten', (h) =>
    evicted(five(h).open('r', 'beginning').read('r', [1]).lost('r').open('r', 'beginning').read('r', [3])),
  );
  itKeeps('of a date, in a log that has overwritten something', (h) =>
    evicted(five(h).open('r', { date: 1 }).lost('r')),
  );
  itBreaks('readers', 'which is still there', /that 3 is lost, and the log still begins at 3/, (h) =>
    evicted(five(h).open('r', { position: 1 }).read('r', [2]).lost('r')),
  );
  itBreaks(
    'readers',
    'in a log that has overwritten nothing',
    /that its place is lost, and the log still begins at 1/,
    (h) => five(h).open('r', { date: 1 }).lost('r'),
  );
  itBreaks('readers', 'after which it goes on', /r got messages at \d+, and was not open/, (h) =>
    evicted(five(h).open('r', 'beginning').read('r', [1]).lost('r').read('r', [3])),
  );
});
