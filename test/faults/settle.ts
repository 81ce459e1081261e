import { setTimeout as delay } from 'node:timers/promises';

import mongoose from 'mongoose';

import { ServiceOutbox, type OutboxStatus } from '../../src/index.js';
import type { Fleet } from './fleet.js';
import { CONSUMERS } from './processes/consumers.js';
import { OUTBOX } from './processes/context.js';
import { schemas, type FaultMessage } from './processes/messages.js';

/** How long nothing at all may come nearer to its end; outages are probed again after at most 30 seconds. */
const STILL_MS = 60_000;

/** What has not come to everybody yet, and why that is so. */
interface Missing {
  readonly count: number;
  readonly text: string;
}

/**
 * Waits until everything that was committed has come to all readers and consumers, however long that takes as long as
 * there is less and less of it. Undefined when it has, else what is missing where nothing moves any more: with the faults
 * over, nothing may keep the library from going on.
 */
export async function settle(uri: string, database: string, fleet: Fleet): Promise<string | undefined> {
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = new ServiceOutbox<FaultMessage>(OUTBOX, schemas('new'), { connection, sequencer: false });
  let least = Infinity;
  let movedAt = performance.now();
  try {
    for (;;) {
      const { count, text } = await outbox.status().then(
        (status) => missingIn(status, fleet),
        (error: unknown): Missing => ({ count: Infinity, text: String(error) }),
      );
      if (count === 0) return undefined;
      if (count < least) {
        least = count;
        movedAt = performance.now();
      }
      if (performance.now() - movedAt > STILL_MS) return text;
      await delay(100);
    }
  } finally {
    await outbox.close();
    await connection.close();
  }
}

function missingIn({ pending, log, consumers }: OutboxStatus, fleet: Fleet): Missing {
  const readers = fleet.byRole('reader');
  // What is pending is still to come to everybody.
  const everybody = Object.keys(CONSUMERS).length + readers.length;
  const missing: Missing[] = [{ count: pending.count * everybody, text: `${pending.count} messages in pending` }];
  for (const name of Object.keys(CONSUMERS)) {
    const info = consumers.find((consumer) => consumer.name === name);
    missing.push(
      info === undefined
        ? { count: Infinity, text: `no consumer ${name}` }
        : { count: info.lag + info.retrying, text: `${name} has not handled all: ${JSON.stringify(info)}` },
    );
  }
  for (const { process, position } of readers)
    missing.push({ count: log.last - position, text: `${process} is at ${position} of ${log.last}` });
  return {
    count: missing.reduce((sum, { count }) => sum + count, 0),
    text: missing.flatMap(({ count, text }) => (count > 0 ? [text] : [])).join('\n'),
  };
}
