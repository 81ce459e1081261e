import { runEffects, tap } from '@most/core';
import { Mongoose } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { createConnection, createOutbox, waitFor } from '../../support/create-outbox.js';
import { numbersOf, order, putInTransaction, range } from '../../support/orders.js';

/** A mongoose whose `connection.transaction` hands its session to everything that is called inside. */
async function withAmbientSession() {
  const base = new Mongoose();
  base.set('transactionAsyncLocalStorage', true);
  const connection = await createConnection({ base });
  return createOutbox({ connection });
}

describe('what is begun inside a transaction with transactionAsyncLocalStorage outlives its session', () => {
  it('a tail and a loop of messages()', async () => {
    const { outbox, connection } = await withAmbientSession();
    await outbox.init();
    const seen: { tail: number[]; loop: number[] } = { tail: [], loop: [] };
    const errors: unknown[] = [];
    outbox.on('error', ({ error }) => errors.push(error));
    const ends: Promise<void>[] = [];
    const elected = new Promise((resolve) => outbox.on('sequencer:elected', resolve));
    await connection.transaction(async () => {
      const [outbox$, scheduler] = outbox.tail();
      ends.push(
        runEffects(
          tap((message) => void seen.tail.push(...numbersOf([message])), outbox$),
          scheduler,
        ),
      );
      ends.push(
        (async () => {
          for await (const message of outbox.messages()) seen.loop.push(...numbersOf([message]));
        })(),
      );
      await outbox.put(order(1));
      // The reader is under way before the transaction ends.
      await elected;
    });
    for (const ordernr of [2, 3, 4]) await putInTransaction({ outbox, connection }, ordernr);
    await waitFor(() => seen.tail.length === 4 && seen.loop.length === 4);
    expect(seen).toEqual({ tail: range(1, 4), loop: range(1, 4) });
    expect(errors).toEqual([]);
    await outbox.close();
    await Promise.all(ends);
  });

  it('start(), and with it the sequencer', async () => {
    const { outbox, connection } = await withAmbientSession();
    await outbox.init();
    const errors: unknown[] = [];
    outbox.on('error', ({ error }) => errors.push(error));
    await connection
      .transaction(async () => {
        await outbox.put(order(1));
        await outbox.start();
        await new Promise((resolve) => outbox.on('sequencer:elected', resolve));
        throw new Error('abort');
      })
      .catch((error: Error) => expect(error.message).toBe('abort'));
    for (const ordernr of [2, 3]) await putInTransaction({ outbox, connection }, ordernr);
    await waitFor(async () => (await outbox.status()).log.last === 2);
    const { epoch, owner } = (await outbox.status()).sequencer;
    expect({ epoch, led: owner !== null }).toEqual({ epoch: 1, led: true });
    expect(errors).toEqual([]);
  });
});
