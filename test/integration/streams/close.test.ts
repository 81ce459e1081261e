import { runEffects, tap } from '@most/core';
import { describe, expect, it } from 'vitest';

import { recordCommands } from '../../support/commands.js';
import { collect, createOutbox, waitFor } from '../../support/create-outbox.js';
import { numbersOf, order, orders } from '../../support/orders.js';
import { openCursors } from '../../support/open-cursors.js';

const done = { done: true, value: undefined };

describe('close', () => {
  it('ends streams, loops and calls to next that wait, all without an error', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(order(1), null);
    await collect(outbox.messages(), 1);
    const [outbox$, scheduler] = outbox.tail();
    const seen: number[] = [];
    const stream = runEffects(
      tap(({ position }) => void seen.push(position), outbox$),
      scheduler,
    );
    const loop = (async () => {
      for await (const message of outbox.messages()) seen.push(message.position);
    })();
    const iterator = outbox.messages('end')[Symbol.asyncIterator]();
    const waiting = [iterator.next(), iterator.next()];
    await waitFor(() => seen.length === 2);
    await outbox.close();
    await Promise.all([stream, loop]);
    expect(await Promise.all(waiting)).toEqual([done, done]);
    expect(await iterator.next()).toEqual(done);
  });

  it('does not wait for a loop that is suspended in its body, and that loop ends after it', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 3), null);
    let goOn = (): void => undefined;
    const body = new Promise<void>((resolve) => (goOn = resolve));
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { position } of outbox.messages()) {
        seen.push(position);
        await body;
      }
    })();
    await waitFor(() => seen.length === 1);
    await outbox.close();
    goOn();
    await loop;
    expect(seen).toEqual([1]);
  });

  it('finishes the append under way, so that what was moved is not left half moved', async () => {
    const { outbox, database } = await createOutbox();
    await outbox.put(orders(1, 3_000), null);
    const appended = new Promise((resolve) => outbox.on('log:append', resolve));
    await outbox.start();
    await appended;
    await outbox.close();
    const after = await createOutbox({ database });
    const { pending, log, sequencer } = await after.outbox.status();
    expect(pending.count + log.last).toBe(3_000);
    expect(sequencer).toMatchObject({ owner: null, epoch: 1 });
  });

  it('called twice, or by several at once, does it once; later calls throw CLOSED', async () => {
    const { outbox } = await createOutbox();
    await outbox.start();
    await Promise.all([outbox.close(), outbox.close()]);
    await outbox.close();
    await outbox[Symbol.asyncDispose]();
    const closed = { code: 'CLOSED', retryable: false };
    await expect(outbox.init()).rejects.toMatchObject(closed);
    await expect(outbox.start()).rejects.toMatchObject(closed);
    await expect(outbox.status()).rejects.toMatchObject(closed);
    await expect(outbox.put(order(1), null)).rejects.toMatchObject(closed);
  });

  it.each([
    { during: 'init', call: 'init' as const },
    { during: 'start', call: 'start' as const },
  ])('during $during ends it with CLOSED, and leaves nothing behind', async ({ call }) => {
    const { outbox, connection, database } = await createOutbox();
    const outcome = expect(outbox[call]()).rejects.toMatchObject({ code: 'CLOSED' });
    await outbox.close();
    await outcome;
    const again = await createOutbox({ connection });
    await again.outbox.init();
    expect((await again.outbox.status()).sequencer.owner).toBeNull();
    expect(await openCursors(connection, database)).toEqual([]);
  });

  it('right after start gives the lease back, if it was taken', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { outbox, database } = await createOutbox();
      await outbox.init();
      await outbox.start();
      if (round % 2 === 1) await new Promise((resolve) => outbox.on('sequencer:elected', resolve));
      await outbox.close();
      const other = await createOutbox({ database });
      await waitFor(async () => (await other.outbox.status()).sequencer.owner === null, 1_000);
    }
  });

  it('of an outbox that was never used does nothing, and frees its name', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.close();
    const again = await createOutbox({ connection });
    await again.outbox.put(order(1), null);
    expect(numbersOf(await collect(again.outbox.messages(), 1))).toEqual([1]);
  });

  it('leaves no cursor open on the server, neither of readers nor of the sequencer or a standby', async () => {
    const { outbox, connection, database } = await createOutbox();
    const standby = await createOutbox({ database });
    await outbox.put(orders(1, 5), null);
    const [outbox$, scheduler] = outbox.tail();
    const stream = runEffects(outbox$, scheduler);
    const left = outbox.messages()[Symbol.asyncIterator]();
    await left.next();
    await standby.outbox.start();
    await waitFor(async () => {
      const cursors = await openCursors(connection, database);
      return ['Outbox', 'Outbox.pending', 'Outbox.state'].every((name) =>
        cursors.some((cursor) => cursor.endsWith(` ${database}.${name}`)),
      );
    });
    await Promise.all([outbox.close(), standby.outbox.close()]);
    await stream;
    // The server itself lets a request that waits on a change stream end after five seconds.
    await waitFor(async () => (await openCursors(connection, database)).length === 0);
  });
});

describe('leaving a loop', () => {
  it('in the middle of a batch stops the reader and lets go of its cursor; others go on', async () => {
    const { outbox, connection } = await createOutbox({ connect: { monitorCommands: true } });
    const sent = recordCommands(connection);
    await outbox.put(orders(1, 100), null);
    for await (const { position } of outbox.messages()) if (position === 50) break;
    await waitFor(() => sent.some(({ name, collection }) => name === 'killCursors' && collection === 'Outbox'));
    await outbox.put(order(101), null);
    expect(numbersOf(await collect(outbox.messages(99), 2))).toEqual([100, 101]);
  });

  it('by an error in the body throws that error', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(order(1), null);
    const loop = async () => {
      for await (const { position } of outbox.messages()) throw new Error(`body ${position}`);
    };
    await expect(loop()).rejects.toThrow('body 1');
  });

  it('calls to next that overlap are answered in order', async () => {
    const { outbox } = await createOutbox();
    const iterator = outbox.messages()[Symbol.asyncIterator]();
    const answers = Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    await outbox.put(orders(1, 3), null);
    expect((await answers).map(({ value }) => value?.position as number)).toEqual([1, 2, 3]);
    await iterator.return!();
    expect(await iterator.next()).toEqual(done);
  });
});
