import { describe, expect, it } from 'vitest';

import { startChild } from '../../support/child-outbox.js';
import { doneOf, inPhase, keyed, overlapsOf } from '../../support/consumer-runs.js';
import { createConsuming } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { ownServer } from '../../support/own-server.js';
import type { Run } from '../../support/scripted-work.js';

const server = ownServer();

describe('a lease that is lost', () => {
  it('aborts the handlers, goes on as a standby, and takes the consumer again when it is free', async () => {
    const runs: Run[] = [];
    const uri = server.uri;
    const one = await createConsuming({ uri, connect: { appName: 'one' } }, runs);
    await one.put([keyed(1, 'a', 'hold')]);
    const consumer = one.consume();
    await waitFor(() => runs.length === 1);
    const { epoch } = await one.info();
    // Renewals do not come through.
    const fault = await failCommand(server.client, { failCommands: ['findAndModify'], appName: 'one', errorCode: 50 });
    await waitFor(() => inPhase(runs, 'aborted').length === 1);
    await waitFor(() => one.events.some(({ event }) => event === 'consumer:lost'));
    await fault.off();
    await waitFor(() => inPhase(runs, 'begin').length === 2);
    one.work.release();
    await waitFor(() => doneOf(runs).length === 1);
    expect((await one.info()).epoch).toBeGreaterThan(epoch);
    expect(runs.at(-1)).toMatchObject({ ordernr: 1, phase: 'done' });
    expect(await one.outbox.failures.list({ all: true })).toEqual([]);
    await consumer.close();
    await consumer.closed;
  });

  it('leaves a handler the rest of the lease to stop, before another owner runs its message', async () => {
    const runs: Run[] = [];
    const uri = server.uri;
    const one = await createConsuming({ uri, connect: { appName: 'first' }, options: { leaseMs: 1_500 } }, runs);
    const two = await createConsuming({ uri, database: one.database, options: { leaseMs: 1_500 } }, runs);
    await one.put([keyed(1, 'a', 'stubborn')]);
    one.consume();
    await waitFor(() => runs.length === 1);
    two.consume();
    await failCommand(server.client, { failCommands: ['findAndModify'], appName: 'first', errorCode: 50 });
    await waitFor(() => inPhase(runs, 'aborted').length === 1);
    const abortedAt = performance.now();
    // It needs a moment to stop, far less than the third of the lease that is left.
    await waitFor(() => performance.now() - abortedAt > 150);
    expect(inPhase(runs, 'begin')).toHaveLength(1);
    one.work.release();
    await waitFor(() => inPhase(runs, 'begin').length === 2);
    two.work.release();
    await waitFor(async () => (await two.info()).position === 1);
    expect(overlapsOf(runs)).toEqual([]);
  });

  it('while the process stands still (SIGSTOP): no checkpoint moves backwards and no message is skipped', async () => {
    const leaseMs = 1_000;
    const runs: Run[] = [];
    const uri = server.uri;
    const two = await createConsuming({ uri, options: { leaseMs } }, runs);
    const child = await startChild({ uri, database: two.database, options: { leaseMs } }, (run) => runs.push(run));
    await child.order({ do: 'consume', options: { batchSize: 5 } });
    await two.put([keyed(1), keyed(2, 'a', 'hold'), keyed(3, 'b'), keyed(4, 'a')]);
    await waitFor(() => inPhase(runs, 'begin').includes(2));
    two.consume({ batchSize: 5 });
    child.pause();
    await waitFor(() => two.events.some(({ event }) => event === 'consumer:start'), 5_000);
    await waitFor(() => two.runs.filter(({ phase, ordernr }) => phase === 'begin' && ordernr === 2).length === 2);
    two.work.release();
    await waitFor(async () => (await two.info()).position === 4);
    child.resume();
    await waitFor(() => child.has('consumer:lost'));
    await child.order({ do: 'release' });
    const positions: number[] = [];
    await two.put([keyed(5)]);
    await waitFor(async () => {
      positions.push((await two.info()).position);
      return positions.at(-1) === 5;
    });
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(new Set(doneOf(runs))).toEqual(new Set([1, 2, 3, 4, 5]));
    // A message of a process that stood still comes again; those that were stored do not.
    expect(doneOf(runs).length).toBeLessThanOrEqual(5 + 5);
    expect(child.has('closed')).toBe(false);
  });
});
