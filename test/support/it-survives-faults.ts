import { setTimeout as delay } from 'node:timers/promises';

import { expect, it, onTestFinished } from 'vitest';

import type { ServerNode } from '../../dev/server-process.js';
import { Unavailable, type Publisher } from '../../src/index.js';
import type { ReceivedMessage } from '../../src/testing.js';

import { checkReceived, relayAll, testMessages } from './relay-all.js';

/** A publisher before a destination of its own, which is empty. */
export interface FaultFixture {
  readonly publisher: Publisher<TestedMessage>;
  received(): Promise<readonly ReceivedMessage[]>;
  close(): Promise<unknown>;
}
export type TestedMessage = { type: string; data: { number: number } };

const batchSize = 50;

/** What every publisher must bear of its broker; `open` gives the default time limits of the publisher. */
export function itSurvivesFaults(broker: () => ServerNode, open: () => Promise<FaultFixture>): void {
  const opened = async (): Promise<FaultFixture> => {
    const fixture = await open();
    onTestFinished(async () => {
      broker().resume();
      await fixture.close();
    });
    return fixture;
  };

  it('waits for a broker that is down at the start', async () => {
    const { publisher, received } = await opened();
    const messages = testMessages(20, 5);
    await broker().kill9();
    const context = { signal: new AbortController().signal, consumer: 'test', epoch: 1 };
    await expect(publisher.publish(messages, context)).rejects.toBeInstanceOf(Unavailable);
    const relayed = relayAll(publisher, messages);
    await broker().restart();
    expect((await relayed).dead.size).toBe(0);
    checkReceived(await received(), messages);
  });

  it('loses nothing and keeps the order when the broker is killed while it publishes', async () => {
    const { publisher, received } = await opened();
    const messages = testMessages(1_000, 20);
    let killed = false;
    let restarted: Promise<void> | undefined;
    const { dead } = await relayAll(publisher, messages, {
      batchSize,
      onBatch: (n) => {
        // Not awaited: the batch is published meanwhile.
        if (n !== 7) return;
        restarted = broker()
          .kill9()
          .then(() => {
            killed = true;
            return broker().restart();
          });
      },
    });
    // Whether the publisher says so, or its client sends again by itself.
    expect(killed).toBe(true);
    await restarted;
    expect(dead.size).toBe(0);
    expect(checkReceived(await received(), messages)).toBeLessThanOrEqual(batchSize);
  });

  it('waits for a broker that stands still for 5 seconds, and repeats nothing', async () => {
    const { publisher, received } = await opened();
    const messages = testMessages(300, 7);
    let resumed: Promise<void> | undefined;
    const { outages, dead } = await relayAll(publisher, messages, {
      batchSize,
      onBatch: (n) => {
        if (n !== 3) return;
        broker().pause();
        resumed = delay(5_000).then(() => broker().resume());
      },
    });
    await resumed;
    expect([outages, dead.size]).toEqual([0, 0]);
    expect(checkReceived(await received(), messages)).toBe(0);
  });

  it('ends at once when the signal aborts while the broker stands still', async () => {
    const { publisher } = await opened();
    const abort = new AbortController();
    broker().pause();
    const context = { signal: abort.signal, consumer: 'test', epoch: 1 };
    const published = publisher.publish(testMessages(3, 3), context);
    abort.abort(new Error('the lease was lost'));
    await expect(published).rejects.toThrow('the lease was lost');
  });
}
