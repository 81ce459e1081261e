import { describe } from 'vitest';

import { itBreaks, itKeeps } from '../../support/faults/broken-rules.js';
import type { HistoryBuilder } from '../../support/faults/history-builder.js';

/** Positions 1 to 4 of one key, of which the second and the fourth are of another type. */
const mixed = (h: HistoryBuilder) =>
  h
    .put(
      't1',
      { uid: 'a', key: 'k', type: 'one' },
      { uid: 'b', key: 'k', type: 'two' },
      { uid: 'c', key: 'k', type: 'one' },
      { uid: 'd', key: 'k', type: 'two' },
    )
    .readAll();
const types = ['one'];

describe('a consumer that takes some types only', () => {
  itKeeps('others need not come', (h) => mixed(h).consumer('c', { types }).handle('c', 1, 1, 3));
  itBreaks('delivered', 'one of its own never came', /c never handled 3$/, (h) =>
    mixed(h).consumer('c', { types }).handle('c', 1, 1),
  );
  itBreaks('order', 'its own come out of order', /got 3 .* and 1 before it/, (h) =>
    mixed(h).consumer('c', { types }).handle('c', 1, 3, 1),
  );
  itBreaks('rewound', 'one of its own does not come again', /never handled 3 again/, (h) =>
    mixed(h).consumer('c', { types }).handle('c', 1, 1, 3).rewind('c', 0).handle('c', 3, 1),
  );
  itKeeps('effects of its own', (h) =>
    mixed(h)
      .consumer('c', { types, kind: 'transactional', projected: ['a', 'c'] })
      .handle('c', 1, 1, 3),
  );
  itBreaks('projected', 'an effect of another type', /stored 1 effects of b at 2, and not 0/, (h) =>
    mixed(h)
      .consumer('c', { types, kind: 'transactional', projected: ['a', 'b', 'c'] })
      .handle('c', 1, 1, 3),
  );
});
