import { setTimeout as delay } from 'node:timers/promises';

import mongoose from 'mongoose';

import { ServiceOutbox, type OutboxStatus } from '../../src/index.js';
import type { Fleet } from './fleet.js';
import { CONSUMERS } from './processes/consumers.js';
import { OUTBOX } from './processes/context.js';
import { schemas, type FaultMessage } from './processes/messages.js';

const DEADLINE_MS = 120_000;

/**
 * Waits until everything that was committed has come to all readers and consumers. Undefined when it has, else what is
 * still missing at the deadline: with the faults over, nothing may keep the library from getting there.
 */
export async function settle(uri: string, database: string, fleet: Fleet): Promise<string | undefined> {
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const outbox = new ServiceOutbox<FaultMessage>(OUTBOX, schemas('new'), { connection, sequencer: false });
  const deadline = performance.now() + DEADLINE_MS;
  try {
    for (;;) {
      const missing = await outbox.status().then(
        (status) => missingIn(status, fleet),
        (error: unknown) => String(error),
      );
      if (missing === undefined) return undefined;
      if (performance.now() > deadline) return missing;
      await delay(100);
    }
  } finally {
    await outbox.close();
    await connection.close();
  }
}

function missingIn({ pending, log, consumers }: OutboxStatus, fleet: Fleet): string | undefined {
  const missing: string[] = [];
  if (pending.count > 0) missing.push(`${pending.count} messages in pending`);
  for (const name of Object.keys(CONSUMERS)) {
    const info = consumers.find((consumer) => consumer.name === name);
    if (info === undefined) missing.push(`no consumer ${name}`);
    else if (info.lag > 0 || info.retrying > 0)
      missing.push(`${name} lacks ${info.lag} and retries ${info.retrying}: ${JSON.stringify(info)}`);
  }
  for (const { process, position } of fleet.byRole('reader'))
    if (position !== log.last) missing.push(`${process} is at ${position} of ${log.last}`);
  return missing.length === 0 ? undefined : missing.join('\n');
}
