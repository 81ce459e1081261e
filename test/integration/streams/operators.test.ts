import { filter, map, merge, runEffects, take, tap, until } from '@most/core';
import type { Stream } from '@most/types';
import { describe, expect, it } from 'vitest';

import type { Delivered } from '../../../src/index.js';
import { createOutbox, waitFor, type TestMessage } from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order, orders, putInTransaction, range } from '../../support/orders.js';

/** Runs a stream for its effects and collects what it gives. */
function collected<T>(stream: Stream<T>): { values: T[]; stream: Stream<T> } {
  const values: T[] = [];
  return { values, stream: tap((value) => void values.push(value), stream) };
}

describe('a tail', () => {
  it('is a @most stream: tap, map, filter, take and runEffects work on it with its scheduler', async () => {
    const { outbox, connection } = await createOutbox();
    const [outbox$, scheduler] = outbox.tail();
    const even$ = filter(({ data }) => data.ordernr % 2 === 0, outbox$);
    const { values, stream } = collected(
      take(
        5,
        map(({ data, created }) => ({ ordernr: data.ordernr, created }), even$),
      ),
    );
    const done = runEffects(stream, scheduler);
    for (let first = 1; first <= 12; first += 3) await putInTransaction({ outbox, connection }, first, 3);
    await done;
    expect(values.map(({ ordernr }) => ordernr)).toEqual([2, 4, 6, 8, 10]);
    expect(values.every(({ created }) => created instanceof Date)).toBe(true);
  });

  it('of one outbox and another can be merged, and ended by a third stream', async () => {
    const one = await createOutbox({ name: 'One' });
    const two = await createOutbox({ name: 'Two', connection: one.connection });
    const stop = await createOutbox({ name: 'Stop', connection: one.connection });
    const [one$, scheduler] = one.outbox.tail();
    const [two$] = two.outbox.tail();
    const [stop$] = stop.outbox.tail();
    const { values, stream } = collected(until(stop$, merge(one$, two$)));
    const done = runEffects(stream, scheduler);
    await one.outbox.put(orders(1, 3), null);
    await two.outbox.put(orders(11, 3), null);
    await waitFor(() => values.length === 6);
    await stop.outbox.put(order(1), null);
    await done;
    expect(numbersOf(values).sort((a, b) => a - b)).toEqual([1, 2, 3, 11, 12, 13]);
  });

  it('is cold: it can be run again and by several at once, each from its cursor on', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 4), null);
    await outbox.start();
    await waitFor(async () => (await outbox.status()).log.last === 4);
    const [outbox$, scheduler, close] = outbox.tail(1);
    const runs = [collected(outbox$), collected(outbox$)];
    const done = runs.map(({ stream }) => runEffects(take(3, stream), scheduler));
    await Promise.all(done);
    const again = collected(outbox$);
    await runEffects(take(2, again.stream), scheduler);
    expect(runs.map(({ values }) => numbersOf(values))).toEqual([
      [2, 3, 4],
      [2, 3, 4],
    ]);
    expect(numbersOf(again.values)).toEqual([2, 3]);
    await close();
  });

  it('gives whatever comes, over many pages, in order', async () => {
    const { outbox } = await createOutbox();
    for (let first = 1; first <= 5_000; first += 1_000) await outbox.put(orders(first, 1_000), null);
    const [outbox$, scheduler] = outbox.tail();
    const { values, stream } = collected(take(5_000, outbox$));
    await runEffects(stream, scheduler);
    expectInOrder(values);
    expect(numbersOf(values)).toEqual(range(1, 5_000));
  });

  it('delivers the types asked for alone', async () => {
    const { outbox } = await createOutbox();
    await outbox.put([order(1), { type: 'order_shipped', data: { ordernr: 7 } }], null);
    const [shipped$, scheduler] = outbox.tail('beginning', { types: ['order_shipped'] });
    const { values, stream } = collected(take(1, shipped$));
    await runEffects(stream, scheduler);
    expect(values).toMatchObject([{ type: 'order_shipped', position: 2, data: { ordernr: 7 } }]);
  });
});

describe('a fault', () => {
  it('rejects runEffects: POSITION_LOST at the start', async () => {
    const { outbox } = await createOutbox();
    const [outbox$, scheduler] = outbox.tail(5);
    await expect(runEffects(outbox$, scheduler)).rejects.toMatchObject({ code: 'POSITION_LOST', oldest: 1 });
  });

  it('of init rejects runEffects, and the next run works when init does', async () => {
    const { outbox, connection } = await createOutbox();
    const taken = connection.collection('Outbox');
    await taken.insertOne({});
    const [outbox$, scheduler] = outbox.tail();
    await expect(runEffects(outbox$, scheduler)).rejects.toMatchObject({ code: 'LOG_NOT_CAPPED' });
    await taken.drop();
    const { values, stream } = collected(take(1, outbox$));
    const done = runEffects(stream, scheduler);
    await outbox.put(order(1), null);
    await done;
    expect(numbersOf(values)).toEqual([1]);
  });

  it('in an effect ends that run alone', async () => {
    const { outbox } = await createOutbox();
    const [outbox$, scheduler] = outbox.tail();
    const failing = runEffects(
      tap(() => {
        throw new Error('effect');
      }, outbox$),
      scheduler,
    );
    const outcome = expect(failing).rejects.toThrow('effect');
    const { values, stream } = collected(take(3, outbox$));
    const other = runEffects(stream, scheduler);
    await outbox.put(orders(1, 3), null);
    await outcome;
    await other;
    expect(numbersOf(values)).toEqual([1, 2, 3]);
  });
});

describe('an end without an error', () => {
  it('comes by close(), which waits for it, and may be called again', async () => {
    const { outbox } = await createOutbox();
    const [outbox$, scheduler, close] = outbox.tail();
    const { values, stream } = collected<Delivered<TestMessage>>(outbox$);
    let ended = false;
    const done = runEffects(stream, scheduler).then(() => (ended = true));
    await outbox.put(order(1), null);
    await waitFor(() => values.length === 1);
    await close();
    await done;
    expect(ended).toBe(true);
    await close();
    // The outbox goes on.
    await outbox.put(order(2), null);
    await waitFor(async () => (await outbox.status()).pending.count === 0);
    expect(numbersOf(values)).toEqual([1]);
  });

  it('comes by the signal given', async () => {
    const { outbox } = await createOutbox();
    const controller = new AbortController();
    const [outbox$, scheduler] = outbox.tail('beginning', { signal: controller.signal });
    const done = runEffects(outbox$, scheduler);
    await waitFor(async () => (await outbox.status()).sequencer.owner);
    controller.abort();
    await done;
  });

  it('comes at once to a stream that is run after its close, or after that of the outbox', async () => {
    const { outbox } = await createOutbox();
    const [one$, scheduler, close] = outbox.tail();
    const [two$] = outbox.tail();
    await close();
    await runEffects(one$, scheduler);
    await outbox.close();
    await runEffects(two$, scheduler);
    expect(() => outbox.tail()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    expect(() => outbox.messages()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});
