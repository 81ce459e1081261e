import { describe, expect, it } from 'vitest';

import { Unavailable, type Publisher } from '../../../src/index.js';
import { quickRetry } from '../../support/consuming.js';
import { createOutbox, type TestMessage } from '../../support/create-outbox.js';
import { orders } from '../../support/orders.js';

describe('drain with maxMessages', () => {
  it('a batch that is rejected for one of its messages is taken apart, and the others pass', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 30), null);
    const batches: number[][] = [];
    const publisher: Publisher<TestMessage> = {
      publish: (messages) => {
        batches.push(messages.map(({ position }) => position));
        return messages.some(({ position }) => position === 3) ? Promise.reject(new Error('bad')) : Promise.resolve();
      },
    };
    const report = await outbox.drain('p', publisher, { maxMessages: 10 });
    expect(report).toMatchObject({ handled: 9, failed: 1, remaining: 20 });
    expect(Math.max(...batches.flat())).toBe(10);
    expect((await outbox.failures.list({ consumer: 'p' })).map(({ position }) => position)).toEqual([3]);
  });

  it('with 1, a message that is rejected alone is compared with one more', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 4), null);
    const rejects = ({ position }: { position: number }) => position === 1;
    const publisher: Publisher<TestMessage> = {
      publish: (messages) => (messages.some(rejects) ? Promise.reject(new Error('bad')) : Promise.resolve()),
    };
    const report = await outbox.drain('p', publisher, { maxMessages: 1 });
    expect(report).toMatchObject({ handled: 1, failed: 1, remaining: 2 });
  });

  it('with a deadline, waits for the end of an outage', async () => {
    const { outbox } = await createOutbox();
    await outbox.put(orders(1, 8), null);
    let calls = 0;
    const fails = () => (calls += 1) <= 2;
    const down = () => Promise.reject(new Unavailable('down'));
    const quick = { retry: quickRetry, deadlineMs: 20_000 };
    const publisher = { publish: () => (fails() ? down() : Promise.resolve()) };
    expect(await outbox.drain('p', publisher, { ...quick, maxMessages: 5 })).toMatchObject({
      handled: 5,
      remaining: 3,
    });
    calls = 0;
    const handled = await outbox.drain('h', () => (fails() ? down() : Promise.resolve()), { ...quick, maxMessages: 1 });
    expect(handled).toMatchObject({ handled: 1, remaining: 7 });
  });
});
