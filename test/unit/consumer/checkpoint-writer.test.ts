import { expect, it } from 'vitest';

import { CheckpointWriter } from '../../../src/consumer/checkpoint-writer.js';
import { Reach } from '../../../src/consumer/reach.js';
import { Solo } from '../../../src/consumer/solo.js';
import { logTask, type Task } from '../../../src/consumer/task.js';
import type { Checkpoint } from '../../../src/store/consumer-checkpoint.js';
import type { StoredEntry } from '../../../src/store/read-log-page.js';
import type { Store } from '../../../src/store/store.js';
import type { TermSessions } from '../../../src/store/term-sessions.js';

function taskAt(position: number): Task {
  return logTask({ _id: position, type: 'order_created' } as StoredEntry, 'key', 10);
}

/** A transactional consumer's checkpoint at 10, with these handled above it by an earlier owner. Nothing is sent. */
function writerWith(handled: number[]) {
  const takenAt = { operationTime: undefined, clusterTime: undefined };
  const checkpoint: Checkpoint = { position: 10, bytes: 100n, begun: 60, handled, solo: null, takenAt };
  const reach = new Reach<Task>(checkpoint);
  const [store, sessions] = [{} as Store, {} as TermSessions];
  const fence = { consumer: 'c', epoch: 2, wtimeoutMs: 1_000 };
  const options = { batchSize: 50, transactional: true };
  const writer = new CheckpointWriter(store, fence, reach, sessions, new Solo(checkpoint), options, checkpoint);
  return { reach, writer };
}

it('what an earlier owner handled stays stored when the transaction fails that would have passed it', () => {
  const { reach, writer } = writerWith([12]);
  const [first, other] = [taskAt(11), taskAt(13)];
  reach.add(first, 110n);
  reach.skip({ position: 12, bytes: 120n });
  reach.add(other, 130n);
  expect(writer.progressWith(first)).toMatchObject({ position: 12, handled: [] });
  // That one failed; another is run beside it.
  expect(writer.progressWith(other)).toMatchObject({ position: 10, handled: [12, 13] });
});

it('what is passed for good is not stored any more', () => {
  const { reach, writer } = writerWith([12, 14]);
  const first = taskAt(11);
  reach.add(first, 110n);
  reach.skip({ position: 12, bytes: 120n });
  const progress = writer.progressWith(first);
  expect(progress.handled).toEqual([14]);
  first.state = 'done';
  writer.applied(progress);
  const next = taskAt(13);
  reach.add(next, 130n);
  expect(writer.progressWith(next)).toMatchObject({ position: 13, handled: [14] });
});
