import { describe } from 'vitest';

import { itBreaks, itKeeps } from '../../support/faults/broken-rules.js';
import type { HistoryBuilder } from '../../support/faults/history-builder.js';

/** Positions 1 to 5: of key k 1, 2 and 4; of key l 3; and 5 without a key. */
const five = (h: HistoryBuilder) =>
  h
    .put('t1', { uid: 'a', key: 'k' }, { uid: 'b', key: 'k' }, { uid: 'c', key: 'l' }, { uid: 'd', key: 'k' }, 'e')
    .readAll();
/** Positions 1 to 3 of key k, of which 2 is poison. */
const poisoned = (h: HistoryBuilder) =>
  h.put('t1', { uid: 'a', key: 'k' }, { uid: 'b', key: 'k', poison: true }, { uid: 'c', key: 'k' }).readAll();
/** Positions 1 to 4, each its own key. */
const four = (h: HistoryBuilder) => h.put('t1', 'a', 'b', 'c', 'd').readAll();

describe('delivered', () => {
  itKeeps('each once, though one failed first', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 4).deliver('c', 1, 3).failed('c', 1, 3).handle('c', 1, 3),
  );
  itBreaks('delivered', 'one never came', /c never handled 3$/, (h) => four(h).consumer('c').handle('c', 1, 1, 2, 4));
  itBreaks('delivered', 'one came and failed', /c never handled 4/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).deliver('c', 1, 4).failed('c', 1, 4),
  );
  itBreaks('delivered', 'one was abandoned', /c never handled 4/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).deliver('c', 1, 4).abandoned('c', 1, 4),
  );
  itKeeps('registered late', (h) => four(h).consumer('c', { from: 2 }).handle('c', 1, 3, 4));
  itBreaks('delivered', 'registered late, and not all above', /c never handled 3$/, (h) =>
    four(h).consumer('c', { from: 2 }).handle('c', 1, 4),
  );
  itKeeps('a dead letter is poison', (h) =>
    poisoned(h)
      .consumer('c', { dead: [2] })
      .handle('c', 1, 1)
      .deliver('c', 1, 2)
      .failed('c', 1, 2)
      .handle('c', 1, 3),
  );
  itBreaks('delivered', 'a dead letter is no poison', /c has a dead letter at 3 \(c\), which is no poison/, (h) =>
    four(h)
      .consumer('c', { dead: [3] })
      .handle('c', 1, 1, 2, 4),
  );
  itBreaks('delivered', 'a dead letter of a message that is nowhere', /c has a dead letter at 9 \(undefined\)/, (h) =>
    four(h)
      .consumer('c', { dead: [9] })
      .handle('c', 1, 1, 2, 3, 4),
  );
  itBreaks('delivered', 'poison that is no dead letter', /c never handled 2/, (h) =>
    poisoned(h).consumer('c').handle('c', 1, 1).deliver('c', 1, 2).failed('c', 1, 2).handle('c', 1, 3),
  );
});

describe('rewound', () => {
  itKeeps('everything above comes again', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).rewind('c', 2).handle('c', 3, 3, 4),
  );
  itBreaks('rewound', 'one does not', /c was rewound to 2 at 13, and never handled 4 again/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).rewind('c', 2).handle('c', 3, 3),
  );
  itBreaks('rewound', 'what was in flight ends after the call, and does not come again', /never handled 4 again/, (h) =>
    four(h)
      .consumer('c')
      .handle('c', 1, 1, 2, 3)
      .deliver('c', 1, 4)
      .rewinding('c', 2)
      .ok('c', 1, 4)
      .rewound('c', 2)
      .handle('c', 3, 3),
  );
  itKeeps('dead letters stay dead', (h) =>
    poisoned(h)
      .consumer('c', { dead: [2] })
      .handle('c', 1, 1)
      .deliver('c', 1, 2)
      .failed('c', 1, 2)
      .handle('c', 1, 3)
      .rewind('c', 0)
      .handle('c', 3, 1, 3),
  );
  itBreaks('rewound', 'of two rewinds one is not served', /rewound to 0 at 13, and never handled 1-2 again/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).rewind('c', 0).rewind('c', 2).handle('c', 3, 3, 4),
  );
  itKeeps('nobody knows whether it was accepted', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).rewinding('c', 2),
  );
  itBreaks('rewound', 'below the place of registration', /rewound to 0.* never handled 1 again/, (h) =>
    four(h).consumer('c', { from: 2 }).handle('c', 1, 3, 4).rewind('c', 0).handle('c', 3, 2, 3, 4),
  );
});

describe('order, by key', () => {
  itKeeps('keys beside one another', (h) =>
    five(h).consumer('c').deliver('c', 1, 1).handle('c', 1, 5, 3).ok('c', 1, 1).handle('c', 1, 2, 4),
  );
  itBreaks(
    'order',
    'a later one of the key comes first',
    /c \(order key\) got 2 at \d+ in epoch 1, and 1 before it had not been delivered/,
    (h) => five(h).consumer('c').handle('c', 1, 2, 1, 3, 4, 5),
  );
  itBreaks(
    'order',
    'it comes before the one before is done',
    /got 2 at \d+ in epoch 1, and 1 before it had not been handled/,
    (h) =>
      five(h).consumer('c').deliver('c', 1, 1).deliver('c', 1, 2).ok('c', 1, 1).ok('c', 1, 2).handle('c', 1, 3, 4, 5),
  );
  itBreaks('order', 'the one before is retried', /got 2 .* 1 before it had not been handled/, (h) =>
    five(h).consumer('c').deliver('c', 1, 1).failed('c', 1, 1).handle('c', 1, 2, 1, 3, 4, 5),
  );
  itBreaks('order', 'not the neighbour, but one further down', /got 4 .* 1 before it/, (h) =>
    five(h)
      .consumer('c', { from: 0 })
      .deliver('c', 1, 1)
      .failed('c', 1, 1)
      .handle('c', 1, 3, 5)
      .deliver('c', 2, 4)
      .handle('c', 2, 1, 2)
      .ok('c', 2, 4),
  );
  itKeeps('behind a dead letter', (h) =>
    poisoned(h)
      .consumer('c', { dead: [2] })
      .handle('c', 1, 1)
      .deliver('c', 1, 2)
      .failed('c', 1, 2)
      .handle('c', 1, 3),
  );
  itBreaks('order', 'before poison was tried', /got 3 .* 2 before it had not been delivered/, (h) =>
    poisoned(h)
      .consumer('c', { dead: [2] })
      .handle('c', 1, 1, 3)
      .deliver('c', 1, 2)
      .failed('c', 1, 2),
  );
  itKeeps('registered late, in the middle of a key', (h) =>
    five(h).consumer('c', { from: 1 }).handle('c', 1, 2, 3, 4, 5),
  );
  itKeeps('what comes again after a rewind, and what only a rewind brings', (h) =>
    five(h)
      .consumer('c', { from: 2 })
      .handle('c', 1, 3, 4, 5)
      .rewind('c', 0)
      .deliver('c', 3, 4)
      .handle('c', 3, 2, 1, 3, 5)
      .ok('c', 3, 4),
  );
  itBreaks('order', 'across epochs', /got 2 .* in epoch 2, and 1 before it had not been handled/, (h) =>
    five(h).consumer('c').deliver('c', 1, 1).handle('c', 2, 2, 1, 3, 4, 5),
  );
});

describe('order, in batches', () => {
  const relay = (h: HistoryBuilder) => five(h).consumer('c', { kind: 'relay', batchSize: 5 });
  itKeeps('a batch in order', (h) => relay(h).deliver('c', 1, 1, 2, 3, 4, 5).ok('c', 1, 1, 2, 3, 4, 5));
  itKeeps('keys of a batch in any order', (h) => relay(h).deliver('c', 1, 3, 5, 1, 2, 4).ok('c', 1, 3, 5, 1, 2, 4));
  itBreaks('order', 'a key of a batch out of order', /got 2 .* 1 before it had not been delivered/, (h) =>
    relay(h).deliver('c', 1, 2, 1, 3, 4, 5).ok('c', 1, 2, 1, 3, 4, 5),
  );
  itBreaks(
    'order',
    'a batch goes on before the one before is answered',
    /got 4 .* 1 before it had not been handled/,
    (h) => relay(h).deliver('c', 1, 1, 2).deliver('c', 1, 3, 4).ok('c', 1, 1, 2).ok('c', 1, 3, 4).handle('c', 1, 5),
  );
  itKeeps('a batch failed, and comes again in parts', (h) =>
    relay(h)
      .deliver('c', 1, 1, 2, 3)
      .failed('c', 1, 1, 2, 3)
      .handle('c', 1, 1)
      .deliver('c', 1, 2, 3, 4, 5)
      .ok('c', 1, 2, 3, 4, 5),
  );
  itBreaks(
    'order',
    'of a failed batch a later one comes again first',
    /got 2 .* 1 before it had not been handled/,
    (h) => relay(h).deliver('c', 1, 1, 2, 3).failed('c', 1, 1, 2, 3).handle('c', 1, 2, 1, 3, 4, 5),
  );
  itBreaks(
    'order',
    'what was in a failed batch is not settled by that',
    /got 4 .* 1 before it had not been handled/,
    (h) =>
      relay(h)
        .deliver('c', 1, 1, 2, 3)
        .failed('c', 1, 1, 2, 3)
        .deliver('c', 1, 4)
        .handle('c', 1, 1, 2, 3, 5)
        .ok('c', 1, 4),
  );
});

describe('order, strict', () => {
  itKeeps('one after another', (h) => five(h).consumer('c', { order: 'strict' }).handle('c', 1, 1, 2, 3, 4, 5));
  itKeeps('in whichever order its files are read', (h) => {
    five(h).consumer('c', { order: 'strict' }).as('c1').handle('c', 1, 1, 2).as('c2').handle('c', 2, 3, 4, 5);
    const history = h.build();
    return { ...history, processes: [...history.processes].reverse() };
  });
  itBreaks('order', 'another key comes first', /c \(order strict\) got 3 .* 2 before it had not been delivered/, (h) =>
    five(h).consumer('c', { order: 'strict' }).handle('c', 1, 1, 3, 2, 4, 5),
  );
});

describe('repeats', () => {
  itKeeps('as many as the batch size after a crash', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).handle('c', 2, 2, 3, 4),
  );
  itBreaks('repeats', 'one more than that', /c got 3 messages again in epoch 2, and its batch size is 2: 1-3/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).handle('c', 2, 1, 2, 3, 4),
  );
  itKeeps('what had failed is no repeat', (h) =>
    four(h).consumer('c').deliver('c', 1, 1, 2, 3).failed('c', 1, 1, 2, 3).handle('c', 2, 1, 2, 3, 4),
  );
  itKeeps('as many after each crash', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2).handle('c', 2, 1, 2, 3).handle('c', 3, 2, 3, 4),
  );
  itBreaks('repeats', 'of several epochs together', /c got 3 messages again in epoch 3/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2).handle('c', 2, 3).handle('c', 3, 1, 2, 3, 4),
  );
  itKeeps('nothing after a hand-over', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 3).handOver('c', 1).handle('c', 2, 2, 4),
  );
  itBreaks(
    'repeats',
    'one after a hand-over',
    /c got 3 again at \d+ in epoch 2; epoch 1 handled it at 8 and handed over at 9/,
    (h) => four(h).consumer('c').handle('c', 1, 1, 3).handOver('c', 1).handle('c', 2, 2, 3, 4),
  );
  itBreaks(
    'repeats',
    'one after a hand-over and a crash later on',
    /c got 3 again .* in epoch 3; epoch 1 handled it/,
    (h) => four(h).consumer('c').handle('c', 1, 1, 3).handOver('c', 1).handle('c', 2, 2).handle('c', 3, 3, 4),
  );
  itKeeps('what a crash before the hand-over left', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2).handle('c', 2, 1).handOver('c', 2).handle('c', 3, 2, 3, 4),
  );
  itKeeps('an owner that was overtaken hands nothing over', (h) =>
    four(h).consumer('c').handle('c', 1, 1).handle('c', 2, 2).handOver('c', 1).handle('c', 2, 1, 3, 4),
  );
  itKeeps('a paused owner comes late with what another has handled', (h) =>
    four(h).consumer('c').handle('c', 2, 1, 2, 3, 4).handle('c', 1, 1, 2, 3),
  );
  itBreaks(
    'repeats',
    'a paused owner gets too much of what one before it has handled',
    /3 messages again in epoch 2/,
    (h) => four(h).consumer('c').handle('c', 1, 1, 2, 3).handle('c', 3, 1, 2).handle('c', 2, 1, 2, 3).handle('c', 3, 4),
  );
  itKeeps('an owner that was paused ends its handler late', (h) =>
    four(h)
      .consumer('c', { batchSize: 1 })
      .deliver('c', 1, 1, 2)
      .handle('c', 2, 1, 2)
      .ok('c', 1, 1, 2)
      .handle('c', 2, 3, 4),
  );
  itKeeps('all of it after a rewind, also behind a hand-over', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).handOver('c', 1).rewind('c', 0).handle('c', 3, 1, 2, 3, 4),
  );
  itKeeps('what was in flight when the rewind was called for', (h) =>
    four(h)
      .consumer('c')
      .handle('c', 1, 1, 2)
      .deliver('c', 1, 3)
      .rewinding('c', 0)
      .ok('c', 1, 3)
      .handOver('c', 1)
      .rewound('c', 0)
      .handle('c', 3, 1, 2, 3, 4),
  );
  itKeeps('a rewind that may have been accepted', (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).rewinding('c', 0).handle('c', 3, 1, 2, 3, 4),
  );
  itBreaks('repeats', 'more than a rewind asks for', /c got 3 messages again in epoch 3.*: 1-3/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3, 4).rewind('c', 3).handle('c', 3, 1, 2, 3, 4),
  );
  itBreaks('repeats', 'after a rewind a crash repeats too much', /c got 3 messages again in epoch 4.*: 1-3/, (h) =>
    four(h).consumer('c').handle('c', 1, 1, 2, 3).rewind('c', 0).handle('c', 3, 1, 2, 3).handle('c', 4, 1, 2, 3, 4),
  );
});

describe('repeated in one epoch', () => {
  itKeeps('what failed or was abandoned', (h) =>
    four(h)
      .consumer('c')
      .deliver('c', 1, 1)
      .failed('c', 1, 1)
      .deliver('c', 1, 2)
      .abandoned('c', 1, 2)
      .handle('c', 1, 1, 2, 3, 4),
  );
  itBreaks(
    'repeated in one epoch',
    'what was handled',
    /c got 1 again at \d+ in epoch 1, which had handled it at 6/,
    (h) => four(h).consumer('c').handle('c', 1, 1, 2, 3, 4, 1),
  );
});

describe('projected', () => {
  const projection = (h: HistoryBuilder, projected: string[], options: { from?: number; dead?: number[] } = {}) =>
    h.consumer('c', { kind: 'transactional', projected, ...options });

  itKeeps('each once, though one ran again', (h) =>
    projection(four(h), ['a', 'b', 'c', 'd']).handle('c', 1, 1, 1, 2).handOver('c', 1).handle('c', 2, 2, 3, 4),
  );
  itBreaks('projected', 'one twice', /c stored 2 effects of b at 2, and not 1/, (h) =>
    projection(four(h), ['a', 'b', 'c', 'd', 'b']).handle('c', 1, 1, 2, 3, 4),
  );
  itBreaks('projected', 'one not', /c stored 0 effects of c at 3, and not 1/, (h) =>
    projection(four(h), ['a', 'b', 'd']).handle('c', 1, 1, 2, 3, 4),
  );
  itBreaks('projected', 'one of nobody', /c stored an effect of z of nobody/, (h) =>
    projection(four(h), ['a', 'b', 'c', 'd', 'z']).handle('c', 1, 1, 2, 3, 4),
  );
  itBreaks('projected', 'one of an aborted transaction', /c stored an effect of z of t2/, (h) =>
    projection(four(h).begin('t2', 'z').aborted('t2'), ['a', 'b', 'c', 'd', 'z']).handle('c', 1, 1, 2, 3, 4),
  );
  itKeeps('none of a dead letter', (h) =>
    projection(poisoned(h), ['a', 'c'], { dead: [2] })
      .handle('c', 1, 1)
      .deliver('c', 1, 2)
      .failed('c', 1, 2)
      .handle('c', 1, 3),
  );
  itBreaks('projected', 'one of a dead letter', /c stored 1 effects of b at 2, a dead letter, and not 0/, (h) =>
    projection(poisoned(h), ['a', 'b', 'c'], { dead: [2] })
      .handle('c', 1, 1)
      .deliver('c', 1, 2)
      .failed('c', 1, 2)
      .handle('c', 1, 3),
  );
  itKeeps('none from before it was registered', (h) =>
    projection(four(h), ['c', 'd'], { from: 2 }).handle('c', 1, 3, 4),
  );
  itBreaks('projected', 'one from before it was registered', /c stored 1 effects of b at 2, and not 0/, (h) =>
    projection(four(h), ['b', 'c', 'd'], { from: 2 }).handle('c', 1, 3, 4),
  );
  itKeeps('once more above a rewind', (h) =>
    projection(four(h), ['a', 'b', 'c', 'c', 'd', 'd']).handle('c', 1, 1, 2, 3, 4).rewind('c', 2).handle('c', 3, 3, 4),
  );
  itBreaks('projected', 'once more below a rewind', /c stored 2 effects of b at 2, and not 1/, (h) =>
    projection(four(h), ['a', 'b', 'b', 'c', 'd']).handle('c', 1, 1, 2, 3, 4).rewind('c', 2).handle('c', 3, 3, 4),
  );
});
