import type { Connection } from 'mongoose';
import { onTestFinished } from 'vitest';

import { OutboxEmitter, type OutboxEvents } from '../../src/events.js';
import { HeldLease } from '../../src/internal/held-lease.js';
import { Stopwatch } from '../../src/internal/stopwatch.js';
import { resolveOptions, type ServiceOutboxOptions } from '../../src/options.js';
import { LogMover } from '../../src/sequencer/log-mover.js';
import { Store } from '../../src/store/store.js';

/** A sequencer at work. */
export interface Mover {
  readonly events: OutboxEmitter;
  /** How many appends it made. */
  readonly appends: OutboxEvents['log:append'][];
  readonly errors: unknown[];
  stop(): Promise<void>;
}

/**
 * A sequencer that believes to lead whatever the lease says, as a process does that was paused at the wrong moment.
 * The epoch tells its entries from those of others.
 */
export function startMover(connection: Connection, epoch: number, options: ServiceOutboxOptions = {}): Mover {
  const resolved = resolveOptions({ connection, leaseMs: 60_000, ...options });
  const lease = new HeldLease(epoch, resolved.leaseMs, new Stopwatch(), Date.now(), () => Promise.resolve(Date.now()));
  const events = new OutboxEmitter('Outbox');
  const appends: OutboxEvents['log:append'][] = [];
  const errors: unknown[] = [];
  events.on('log:append', (append) => appends.push(append));
  events.on('error', ({ error }) => errors.push(error));
  const stop = new AbortController();
  const run = new LogMover(new Store(connection, 'Outbox'), resolved, lease, events.emit).run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await run;
    lease.finish('closed');
  };
  onTestFinished(end);
  return { events, appends, errors, stop: end };
}
