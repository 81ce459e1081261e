import { describe, expect, it } from 'vitest';

import { OutboxError, ServiceOutbox, type ConsumerOptions, type Handler, type HandlerMap } from '../../../src/index.js';
import { createConnection, waitFor, testSchemas, type TestMessage } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { keyed, quick, reached, readBeside, watchedOutbox, type WatchedOutbox } from '../../support/watched-outbox.js';
import { onTestFinished } from 'vitest';

type NewMessage = TestMessage | { type: 'order_cancelled'; data: { ordernr: number } };
const newSchemas = {
  ...testSchemas,
  order_cancelled: { data: { ordernr: { type: Number, required: true } } },
} as const;

/** The process after the deploy: it knows a type that the others don't. */
async function newProcess(database: string): Promise<ServiceOutbox<NewMessage>> {
  const connection = await createConnection({ database });
  const outbox = new ServiceOutbox<NewMessage>('Outbox', newSchemas, { connection, leaseMs: 1_000 });
  onTestFinished(() => outbox.close());
  await outbox.init();
  return outbox;
}

const cancelled = (ordernr: number, key?: string) =>
  ({ type: 'order_cancelled', data: { ordernr }, ...(key === undefined ? {} : { key }) }) as const;

async function oldProcess(): Promise<WatchedOutbox> {
  return watchedOutbox({ options: { leaseMs: 1_000 } });
}

describe('in a rolling deploy, the old process first', () => {
  it.each(['consume', 'relay'] as const)(
    '%s passes nothing over and spends no attempt; the new one takes over',
    async (kind) => {
      const old = await oldProcess();
      const fresh = await newProcess(old.database);
      await old.put(range(1, 5).map((nr) => keyed(nr, 'k')));
      await fresh.put(cancelled(6, 'k'), null);
      await old.put(range(7, 3).map((nr) => keyed(nr, nr === 8 ? 'k' : undefined)));
      const byOld: number[] = [];
      const byNew: [position: number, attempt: number, type: string][] = [];
      if (kind === 'consume')
        old.outbox.consume('c', ({ position }) => {
          byOld.push(position);
        });
      else
        old.outbox.relay('c', {
          publish: async (messages) => void byOld.push(...messages.map(({ position }) => position)),
        });
      await waitFor(async () => {
        const { state, owner } = await old.info();
        return state === 'blocked' && owner === null;
      });
      expect(await old.info()).toMatchObject({
        state: 'blocked',
        position: 5,
        lag: 4,
        lastError: {
          name: 'OutboxError',
          code: 'UNKNOWN_TYPE',
          message: expect.stringContaining('order_cancelled') as string,
        },
        retrying: 0,
        dead: 0,
      });
      const [told] = old.of('error');
      expect(told).toMatchObject({ part: 'consumer', consumer: 'c' });
      expect(told!.error).toBeInstanceOf(OutboxError);
      expect(old.of('consumer:stop').at(-1)).toMatchObject({ consumer: 'c', position: 5, reason: 'unknown type' });
      // Left alone, it stays there, however often it looks again.
      await waitFor(() => old.of('consumer:start').length >= 2);
      expect(byOld).toEqual(range(1, 5));
      expect(await old.failures()).toEqual([]);
      if (kind === 'consume')
        fresh.consume('c', ({ position, type }, { attempt }) => {
          byNew.push([position, attempt, type]);
        });
      else
        fresh.relay('c', {
          publish: async (messages) =>
            void byNew.push(...messages.map(({ position, type }) => [position, 1, type] as [number, number, string])),
        });
      await waitFor(() => byNew.length === 4);
      expect(byNew).toEqual([
        [6, 1, 'order_cancelled'],
        [7, 1, 'order_created'],
        [8, 1, 'order_created'],
        [9, 1, 'order_created'],
      ]);
      await reached(old, 9);
      expect(byOld).toEqual(range(1, 5));
      // The old one stands by, and is not in the way.
      await fresh.put(cancelled(10), null);
      await waitFor(() => byNew.length === 5);
      // The new owner tells of itself with its next renewal.
      await waitFor(async () => (await old.info()).state === 'running');
      expect(await old.failures()).toEqual([]);
    },
  );

  it('side by side, with messages of both kinds coming in, each is handled once', async () => {
    const old = await oldProcess();
    const fresh = await newProcess(old.database);
    const done: number[] = [];
    old.outbox.consume('c', ({ position }) => void done.push(position), { concurrency: 4 });
    await old.put(range(1, 20).map((nr) => keyed(nr, `key ${nr % 4}`)));
    await reached(old, 20);
    fresh.consume('c', ({ position }) => void done.push(position), { concurrency: 4 });
    for (const from of range(0, 10).map((round) => 21 + 10 * round)) {
      await old.put(range(from, 5).map((nr) => keyed(nr, `key ${nr % 4}`)));
      await fresh.put(
        range(from + 5, 5).map((nr) => cancelled(nr, `key ${nr % 4}`)),
        null,
      );
    }
    await reached(old, 120);
    expect([...done].sort((a, b) => a - b)).toEqual(range(1, 120));
    expect(await old.failures()).toEqual([]);
  });

  it('a failure of a type that the process does not know waits for one that does', async () => {
    const old = await oldProcess();
    const fresh = await newProcess(old.database);
    await fresh.put(
      [cancelled(1, 'k'), ...range(2, 4).map((nr) => keyed(nr, nr === 4 ? 'k' : undefined))] as NewMessage[],
      null,
    );
    let broken = true;
    const done: number[] = [];
    const attempts: number[] = [];
    const handle: Handler<NewMessage> = ({ position }, { attempt }) => {
      if (position === 1) attempts.push(attempt);
      if (broken && position === 1) throw new Error('broken');
      done.push(position);
    };
    const retry = { ...quick, maxAttempts: 1_000 };
    const first = fresh.consume('c', handle, { retry });
    await reached(old, 5);
    await waitFor(() => attempts.length >= 2);
    await waitFor(async () => (await old.failures()).length === 2);
    await first.close();
    const spent = (await old.failures())[0]!.attempts;
    // Nothing of the log is in its way, and the failure is nothing for it.
    const byOld: number[] = [];
    const blocked = old.outbox.consume('c', ({ position }) => void byOld.push(position), { retry });
    await waitFor(() => old.of('error').some(({ error }) => (error as OutboxError).code === 'UNKNOWN_TYPE'));
    await readBeside(fresh as never, 5);
    expect(byOld).toEqual([]);
    expect((await old.failures()).map(({ position, state, attempts: made }) => [position, state, made])).toEqual([
      [1, 'retrying', spent],
      [4, 'queued', 0],
    ]);
    await blocked.close();
    broken = false;
    fresh.consume('c', handle, { retry });
    await waitFor(() => done.length === 5);
    expect(done).toEqual([2, 3, 5, 1, 4]);
    expect(attempts).toEqual(range(1, attempts.length));
  });
});

describe('a map of handlers', () => {
  it('that lacks a type blocks there; nothing of it is dropped', async () => {
    const made = await oldProcess();
    await made.put([keyed(1), { type: 'order_shipped', data: { ordernr: 2 } }, keyed(3)]);
    const done: number[] = [];
    const partly = { order_created: ({ position }: { position: number }) => void done.push(position) };
    const consumer = made.outbox.consume('c', partly as unknown as HandlerMap<TestMessage>);
    await waitFor(async () => (await made.info()).state === 'blocked');
    expect(done).toEqual([1]);
    expect(await made.info()).toMatchObject({ position: 1, lastError: { code: 'UNKNOWN_TYPE' } });
    await consumer.close();
    // Still, when nobody runs it any more: the reason is there still.
    expect(await made.info()).toMatchObject({ position: 1, owner: null });
    made.outbox.consume('c', { ...partly, order_shipped: ({ position }) => void done.push(position) });
    await reached(made, 3);
    expect(done).toEqual([1, 2, 3]);
  });

  it('may be an object whose methods come from its class', async () => {
    const made = await oldProcess();
    await made.put([keyed(1), { type: 'order_shipped', data: { ordernr: 2 } }]);
    class Handlers {
      readonly #done: number[] = [];
      get done(): number[] {
        return this.#done;
      }
      order_created({ position }: { position: number }): void {
        this.#done.push(position);
      }
      order_shipped({ position }: { position: number }): void {
        this.#done.push(-position);
      }
    }
    const handlers = new Handlers();
    made.outbox.consume('c', handlers as unknown as HandlerMap<TestMessage>);
    await reached(made, 2);
    expect(handlers.done).toEqual([1, -2]);
  });

  it.each<[string, ConsumerOptions<TestMessage['type']>]>([
    ['types', { types: ['order_created'] }],
    ['types, strictly', { types: ['order_created'], order: 'strict' }],
  ])('narrowed by %s leaves the other out on purpose', async (_what, options) => {
    const made = await oldProcess();
    await made.put([keyed(1), { type: 'order_shipped', data: { ordernr: 2 } }, keyed(3)]);
    const done: number[] = [];
    made.outbox.consume<'order_created'>(
      'c',
      { order_created: ({ position }) => void done.push(position) },
      options as { types: ['order_created'] },
    );
    await reached(made, 3);
    expect(done).toEqual([1, 3]);
    expect(made.of('error')).toEqual([]);
  });
});

it('types leaves out a type that the process does not know', async () => {
  const old = await oldProcess();
  const fresh = await newProcess(old.database);
  await fresh.put([cancelled(1)], null);
  await old.put([keyed(2)]);
  const done: number[] = [];
  old.outbox.consume('c', ({ position }) => void done.push(position), { types: ['order_created', 'order_shipped'] });
  await reached(old, 2);
  expect(done).toEqual([2]);
  expect(old.of('error')).toEqual([]);
});
