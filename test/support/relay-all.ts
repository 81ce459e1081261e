import { setTimeout as delay } from 'node:timers/promises';

import { Unavailable, type Delivered, type OutboxMessage, type Publisher } from '../../src/index.js';

/** What came of it. */
export interface Relayed {
  /** Times that the destination was said to be down. */
  readonly outages: number;
  /** Messages given up, by their position. */
  readonly dead: ReadonlyMap<number, unknown>;
}

/**
 * Sends messages as a relay does: batch after batch, each again until all of it is stored or given up. An error that is
 * no outage, and of no single message, ends it.
 */
export async function relayAll<M extends OutboxMessage>(
  publisher: Publisher<M>,
  messages: readonly Delivered<M>[],
  { batchSize = 50, deadlineMs = 60_000, onBatch = (_n: number): unknown => undefined } = {},
): Promise<Relayed> {
  const deadline = performance.now() + deadlineMs;
  const dead = new Map<number, unknown>();
  let outages = 0;
  for (let from = 0, n = 0; from < messages.length; from += batchSize, n += 1) {
    let rest = messages.slice(from, from + batchSize);
    await onBatch(n);
    while (rest.length > 0) {
      if (performance.now() > deadline)
        throw new Error(`not published within ${deadlineMs} ms: ${rest.length} of a batch`);
      const errors = await attempt(publisher, rest);
      const down = [...errors.values()].some((error) => error instanceof Unavailable);
      if (down) outages += 1;
      for (const [position, error] of errors) if (!(error instanceof Unavailable)) dead.set(position, error);
      rest = notDone(rest, errors).filter(({ position }) => !dead.has(position));
      if (down) await delay(100);
    }
  }
  return { outages, dead };
}

async function attempt<M extends OutboxMessage>(
  publisher: Publisher<M>,
  batch: readonly Delivered<M>[],
): Promise<ReadonlyMap<number, unknown>> {
  try {
    const result = await publisher.publish(batch, { signal: new AbortController().signal, consumer: 'test', epoch: 1 });
    return new Map(result?.failed.map(({ position, error }) => [position, error]));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return new Map(batch.map(({ position }) => [position, error]));
  }
}

function notDone<M extends OutboxMessage>(
  batch: readonly Delivered<M>[],
  errors: ReadonlyMap<number, unknown>,
): Delivered<M>[] {
  const held = new Set<string>();
  return batch.filter(({ position, key }) => {
    const failed = errors.has(position) || (key !== undefined && held.has(key));
    if (failed && key !== undefined) held.add(key);
    return failed;
  });
}

/** Messages 1 to `count`, in so many keys. */
export function testMessages(count: number, keys: number): Delivered<{ type: string; data: { number: number } }>[] {
  return Array.from({ length: count }, (_, index) => ({
    type: 'order_created',
    data: { number: index + 1 },
    id: `id-${index + 1}`,
    position: index + 1,
    created: new Date(1_700_000_000_000 + index),
    key: `key-${index % keys}`,
    headers: {},
  }));
}

/** What a destination must show after a fault: nothing lost, first deliveries of each key in order; gives how many repeats there are. */
export function checkReceived(
  received: readonly { readonly id: string }[],
  sent: readonly { readonly id: string; readonly key?: string }[],
): number {
  const firsts = [...new Set(received.map(({ id }) => id))];
  const missing = sent.filter(({ id }) => !firsts.includes(id));
  if (missing.length > 0) throw new Error(`lost: ${missing.map(({ id }) => id).join(', ')}`);
  for (const key of new Set(sent.map((each) => each.key))) {
    const expected = sent.filter((each) => each.key === key).map(({ id }) => id);
    const found = firsts.filter((id) => expected.includes(id));
    if (found.join() !== expected.join()) throw new Error(`out of order in ${String(key)}: ${found.join(', ')}`);
  }
  return received.length - firsts.length;
}
