import type { Connection } from 'mongoose';
import { expect, it } from 'vitest';

import { commitProgress } from '../../../src/store/commit-progress.js';
import { takeOver, writeCheckpoint, type Fence, type Progress } from '../../../src/store/consumer-checkpoint.js';
import { registerConsumer } from '../../../src/store/registration.js';
import { Store } from '../../../src/store/store.js';
import { TermSessions } from '../../../src/store/term-sessions.js';
import { recordCommands } from '../../support/commands.js';
import { waitFor } from '../../support/create-outbox.js';
import { keyed, reached, watchedOutbox } from '../../support/watched-outbox.js';

const fence = (epoch: number): Fence => ({ consumer: 'c', epoch, wtimeoutMs: 5_000 });
const progress = (write: number, handled: number[]): Progress => ({
  position: 0,
  bytes: 0n,
  begun: null,
  handled,
  solo: null,
  write,
});

/** A consumer `c` that is registered and owned by nobody, with three messages in the log; by the server's own documents. */
async function registered() {
  const made = await watchedOutbox();
  await made.put([keyed(1), keyed(2), keyed(3)]);
  const read = made.outbox.messages()[Symbol.asyncIterator]();
  for (let count = 0; count < 3; count += 1) await read.next();
  await read.return?.();
  // Registers it, and handles nothing.
  await made.outbox.drain('c', () => undefined, { types: ['order_shipped'], from: 'beginning' });
  return { ...made, store: new Store(made.connection, 'Outbox') };
}

/** As the owner of an epoch finds it. */
async function leaseOf(connection: Connection) {
  const lease = await connection.collection('Outbox.state').findOne({ _id: 'lease:c' as never });
  return lease as unknown as { epoch: number };
}

it('a write of the checkpoint that arrives after a later one of its term changes nothing', async () => {
  const { store, checkpoint } = await registered();
  expect(await takeOver(store, fence(5), {})).toBeDefined();
  expect(await writeCheckpoint(store, fence(5), progress(2, [7, 8]))).toBe(true);
  expect(await writeCheckpoint(store, fence(5), progress(1, []))).toBe(false);
  expect((await checkpoint('c')).handled.map(Number)).toEqual([7, 8]);
});

it('an owner that another one has followed sets no message aside', async () => {
  const { store, connection } = await registered();
  await takeOver(store, fence(5), {});
  const stale = new TermSessions(store, 'lease:c', 5, 5_000);
  await takeOver(store, fence(6), {});
  const park = {
    ...({ kind: 'add', position: 1, state: 'retrying', attempts: 1, error: null } as const),
    ...{ nextAttemptAt: new Date(), at: new Date() },
  };
  expect(await commitProgress(store, fence(5), progress(1, []), [park], stale)).toBe(false);
  expect(await connection.collection('Outbox.failures').countDocuments()).toBe(0);
  stale.close();
});

it('who was elected before a consumer was removed can not take over the one that is registered anew', async () => {
  const { outbox, store, connection } = await registered();
  const { epoch } = await leaseOf(connection);
  await outbox.consumers.remove('c');
  // Registered, and nobody has been elected since.
  await registerConsumer(store, 'c', { order: 'key', transactional: false }, { position: 0, bytes: 0n }, false, 5_000);
  const { epoch: later } = await leaseOf(connection);
  for (let stale = Number(epoch); stale <= Number(later); stale += 1)
    expect(await takeOver(store, fence(stale), {})).toBeUndefined();
  expect(await takeOver(store, fence(Number(later) + 1), {})).toMatchObject({ position: 0 });
});

it('failures are read no older than the takeover, and than what the owner has committed itself', async () => {
  const made = await watchedOutbox({ connect: { monitorCommands: true } });
  const sent = recordCommands(made.connection);
  let failing = true;
  await made.put([keyed(1, 'a'), keyed(2, 'a')]);
  made.outbox.consume(
    'c',
    ({ position }) => {
      if (position === 1 && failing) throw new Error('not yet');
    },
    { retry: { initialDelayMs: 20, maxDelayMs: 40, jitter: 0 } },
  );
  await waitFor(() => made.of('consumer:retry').length > 0);
  failing = false;
  await reached(made, 2);
  await waitFor(async () => (await made.failures()).length === 0);
  const own = sent.filter(
    ({ name, collection, command }) =>
      (name === 'find' || name === 'aggregate') &&
      collection === 'Outbox.failures' &&
      // Not those of the test, which lists failures past the consumer.
      JSON.stringify(command).includes('"nextAttemptAt":{"$gt"'),
  );
  expect(own.length).toBeGreaterThan(0);
  for (const { command } of own) {
    expect(command.readConcern).toMatchObject({ level: 'majority' });
    expect(command.readConcern?.afterClusterTime).toBeDefined();
  }
});
