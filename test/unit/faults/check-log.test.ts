import { describe } from 'vitest';

import { itBreaks, itKeeps } from '../../support/faults/broken-rules.js';

describe('atomic', () => {
  itKeeps('what was acknowledged is there, what was aborted is not', (h) =>
    h.put('t1', 'a', 'b').begin('t2', 'c').aborted('t2').readAll(),
  );
  itBreaks('atomic', 'an acknowledged message is missing', /t1 \(committed.* no b/, (h) =>
    h.begin('t1', 'a', 'b').committed('t1').stored('t1').append('a').readAll(),
  );
  itBreaks('atomic', 'an acknowledged transaction has no document', /t1 committed, and its own document is gone/, (h) =>
    h.begin('t1', 'a').committed('t1').append('a').readAll(),
  );
  itBreaks('atomic', 'an aborted message is seen', /t1 \(aborted.* was seen: a/, (h) =>
    h.begin('t1', 'a').aborted('t1').append('a').readAll(),
  );
  itBreaks('atomic', 'an aborted message is seen by a consumer alone', /t1 \(aborted.* was seen: a/, (h) =>
    h.consumer('c').begin('t1', 'a').aborted('t1').append('a').handle('c', 1, 1),
  );
  itBreaks('atomic', 'an aborted transaction has its document', /t1 aborted, and its own document is there/, (h) =>
    h.begin('t1', 'a').aborted('t1').stored('t1'),
  );

  itKeeps('what is unknown is there as a whole, with its document', (h) =>
    h.begin('t1', 'a', 'b').unknown('t1').stored('t1').append('a', 'b').readAll(),
  );
  itKeeps('what is unknown is not there at all', (h) => h.begin('t1', 'a', 'b').unknown('t1'));
  itKeeps('the writer was killed, and its transaction is there', (h) =>
    h.begin('t1', 'a').stored('t1').append('a').readAll(),
  );
  itBreaks('atomic', 'half of what is unknown is there', /t1 \(unknown, its own document there\).* no b/, (h) =>
    h.begin('t1', 'a', 'b').unknown('t1').stored('t1').append('a').readAll(),
  );
  itBreaks('atomic', 'what is unknown is there without its document', /document not there\) was seen: a, b/, (h) =>
    h.begin('t1', 'a', 'b').unknown('t1').append('a', 'b').readAll(),
  );
  itBreaks('atomic', 'the document of a killed writer is there without its message', /t1 \(unknown.* no a/, (h) =>
    h.begin('t1', 'a').stored('t1'),
  );

  itKeeps('puts outside a transaction: acknowledged, refused, and a first part of an unknown one', (h) =>
    h
      .bare('b1', 'a', 'b')
      .committed('b1')
      .bare('b2', 'c')
      .aborted('b2')
      .bare('b3', 'd', 'e', 'f')
      .unknown('b3')
      .bare('b4', 'g')
      .append('a', 'b', 'd', 'e')
      .readAll(),
  );
  itBreaks('atomic', 'an acknowledged put outside a transaction is missing', /b1 was acknowledged, and b is not/, (h) =>
    h.bare('b1', 'a', 'b').committed('b1').append('a').readAll(),
  );
  itBreaks('atomic', 'a refused put outside a transaction is seen', /b1 was refused, and a was seen/, (h) =>
    h.bare('b1', 'a').aborted('b1').append('a').readAll(),
  );
  itBreaks('atomic', 'an unknown put outside a transaction has a gap', /b1 \(unknown\).* gap: a, c, no b/, (h) =>
    h.bare('b1', 'a', 'b', 'c').unknown('b1').append('a', 'c').readAll(),
  );

  itBreaks('atomic', 'something is still pending', /uid a of t1 is still pending/, (h) =>
    h
      .put('t1', 'a')
      .readAll()
      .build({ pending: ['a'] }),
  );
  itBreaks('atomic', 'nobody put it', /uid z is at position 2, and nobody put it/, (h) =>
    h.put('t1', 'a').append('z').readAll(),
  );
});

describe('positions', () => {
  itKeeps('two observers, each with a part', (h) =>
    h.put('t1', 'a', 'b', 'c').open('r', 'beginning').read('r', [1, 2]).open('s', { position: 1 }).read('s', [2, 3]),
  );
  itBreaks('positions', 'a message is at two positions', /uid a is at positions 1 and 3/, (h) =>
    h.put('t1', 'a', 'b').append('a').readAll(),
  );
  itBreaks(
    'positions',
    'two observers see different messages',
    /position 1 is b for reader r at 6, and a for others/,
    (h) =>
      h
        .put('t1', 'a', 'b')
        .readAll()
        .open('r', 'beginning')
        .read('r', [{ position: 1, uid: 'b', created: 1_001 }]),
  );
  itBreaks('positions', 'nobody saw one', /of the positions 1-4 nobody saw 2-3/, (h) =>
    h
      .bare('b', 'a', 'b')
      .committed('b')
      .append('a', '-', '-', 'b')
      .open('r', 'beginning')
      .read('r', [1])
      .open('r', { position: 3 })
      .read('r', [4]),
  );
  itBreaks('positions', 'one beyond the end', /position 2 was seen, and the log ends at 1/, (h) =>
    h.put('t1', 'a', 'b').readAll().build({ last: 1 }),
  );
});

describe('created', () => {
  itKeeps('two messages of one moment', (h) => {
    h.put('t1', 'a', 'b').log[1]!.created = 1_001;
    return h.readAll();
  });
  itBreaks('created', 'it falls', /position 2 was created 900, and 1 before it 1001/, (h) => {
    h.put('t1', 'a', 'b').log[1]!.created = 900;
    return h.readAll();
  });
  itBreaks('created', 'observers differ', /position 1 was created 1000 for consumer c at 5, and 1001 for others/, (h) =>
    h.consumer('c').put('t1', 'a').readAll().deliver('c', 1, { position: 1, uid: 'a', created: 1_000 }).ok('c', 1, 1),
  );
});

describe('causality', () => {
  itKeeps('what overlapped may be in any order', (h) =>
    h.begin('t1', 'a').begin('t2', 'b').committed('t1').committed('t2').stored('t1', 't2').append('b', 'a').readAll(),
  );
  itKeeps('a late commit comes after what began later', (h) =>
    h.begin('t1', 'a').put('t2', 'b').put('t3', 'c').committed('t1').stored('t1').append('a').readAll(),
  );
  itBreaks(
    'causality',
    'what began after the commit comes first',
    /b of t2, begun at 3, is at 1; a at 2 was there by 2/,
    (h) =>
      h.begin('t1', 'a').committed('t1').begin('t2', 'b').committed('t2').stored('t1', 't2').append('b', 'a').readAll(),
  );
  itBreaks('causality', 'one of several', /c of t2.* is at 2; b at 3/, (h) =>
    h
      .begin('t1', 'a', 'b')
      .committed('t1')
      .begin('t2', 'c')
      .committed('t2')
      .stored('t1', 't2')
      .append('a', 'c', 'b')
      .readAll(),
  );
  itBreaks('causality', 'what began after it was seen comes first', /b of t2.* is at 1; a at 2/, (h) =>
    h
      .begin('t1', 'a')
      .append('-', 'a')
      .open('r', { position: 1 })
      .read('r', [2])
      .begin('t2', 'b')
      .committed('t2')
      .stored('t1', 't2')
      .open('s', 'beginning')
      .read('s', [{ position: 1, uid: 'b', created: 1_001 }]),
  );
  itKeeps('an unknown one, seen later', (h) =>
    h.begin('t1', 'a').unknown('t1').begin('t2', 'b').committed('t2').stored('t1', 't2').append('b', 'a').readAll(),
  );
});

describe('put order', () => {
  itKeeps("put order, with another's message between", (h) =>
    h
      .begin('t1', 'a', 'b')
      .begin('t2', 'c')
      .committed('t1')
      .committed('t2')
      .stored('t1', 't2')
      .append('a', 'c', 'b')
      .readAll(),
  );
  itBreaks('put order', 'the other way round', /t1 put a before b, and they are at 2 and 1/, (h) =>
    h.begin('t1', 'a', 'b').committed('t1').stored('t1').append('b', 'a').readAll(),
  );
});
