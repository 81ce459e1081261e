import { expect, it } from 'vitest';

import type { FailureLoader } from '../../../src/consumer/failure-loader.js';
import { Intake } from '../../../src/consumer/intake.js';
import type { Settlement } from '../../../src/consumer/settlement.js';
import { recordTask, type Task } from '../../../src/consumer/task.js';
import type { TermState } from '../../../src/consumer/term-state.js';
import { Window } from '../../../src/consumer/window.js';
import type { FailureRecord } from '../../../src/store/failure-records.js';
import type { StoredEntry } from '../../../src/store/read-log-page.js';
import { flush } from '../../support/settled.js';

function entryAt(position: number): StoredEntry {
  return { _id: position, type: 'order_created', bytes: BigInt(position * 10) } as StoredEntry;
}

async function* pagesOf(...pages: StoredEntry[][]) {
  for (const page of pages) yield await Promise.resolve(page);
}

it('a failure whose transaction has removed it, which is not known here yet, is not taken from the log again', async () => {
  const window = new Window<Task>({ position: 0, bytes: 0n });
  const record = recordTask({ position: 2, entry: entryAt(2), attempts: 0 } as FailureRecord, 'key');
  window.addRecords([record]);
  window.take(record);
  const state = {
    window,
    running: new Map([[record, { abort: () => undefined }]]),
    solo: { died: null },
    over: new AbortController(),
    setup: {
      checkpoint: { position: 0, bytes: 0n, handled: [] },
      options: { batchSize: 50, order: 'key' },
      work: { handles: () => true },
      pages: () => pagesOf([entryAt(1), entryAt(2), entryAt(3)]),
    },
    failed: (error: unknown) => expect.fail(String(error)),
    wakeUp: () => undefined,
  } as unknown as TermState;
  // What the server answers by then.
  const failures = { failedAmong: () => Promise.resolve(new Set<number>()) } as unknown as FailureLoader;
  new Intake(state, failures, {} as Settlement).read();
  await flush();
  // Its transaction is known to have been committed.
  window.finish(record);
  window.reach.endedApart(2);
  const taken: number[] = [];
  for (let task = window.next(); task !== undefined; task = window.next()) {
    taken.push(task.position);
    window.take(task);
  }
  expect(taken).toEqual([1, 3]);
  expect(window.reach.handledAbove()).toEqual([2]);
});
