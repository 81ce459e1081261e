import { setTimeout as delay } from 'node:timers/promises';

import type { Connection } from 'mongoose';

import { OutboxError, ServiceOutbox } from '../../../src/index.js';
import type { HistoryWriter } from '../history/history-writer.js';
import { schemas, type FaultMessage } from './messages.js';
import type { Report, Task } from './task.js';

/** What a role has to work with. */
export interface Context {
  readonly task: Task;
  readonly history: HistoryWriter;
  readonly connection: Connection;
  /** Orders that are meant for a single role. */
  readonly orders: EventTarget;
  /** Aborts when the process is to end. */
  readonly stop: AbortSignal;
  tell(report: Report): void;
}

export type FaultOutbox = ServiceOutbox<FaultMessage>;

export const OUTBOX = 'Faults';
/** Where a writer keeps a document of each transaction, beside the messages that it puts. */
export const STATE = 'orders';
/** Where the transactional consumer writes its effects. */
export const PROJECTION = 'projected';

const told = [
  'sequencer:elected',
  'sequencer:lost',
  'consumer:start',
  'consumer:stop',
  'consumer:lost',
  'consumer:outage',
] as const;

/** The outbox of this process, set up; the database may be away meanwhile. Undefined when the process is to end before. */
export async function openOutbox({ task, connection, stop, tell }: Context): Promise<FaultOutbox | undefined> {
  const outbox = new ServiceOutbox<FaultMessage>(OUTBOX, schemas(task.release), { connection, ...task.options });
  outbox.on('error', ({ part, error }) => tell({ kind: 'note', text: `${part}: ${String(error)}` }));
  outbox.on('log:full', ({ text }) => tell({ kind: 'note', text }));
  for (const event of told)
    outbox.on(event, (payload) => tell({ kind: 'note', text: `${event} ${JSON.stringify(payload)}` }));
  while (!stop.aborted) {
    try {
      await outbox.init();
      return outbox;
    } catch (error) {
      tell({ kind: 'note', text: `init: ${String(error)}` });
      await rest(100, stop);
    }
  }
  await outbox.close();
  return undefined;
}

/** Waits; less long when the process is to end. */
export async function rest(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch(() => undefined);
}

/** Whether the same may work later without a change: the database is away, say. The driver's own errors are of that kind. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof OutboxError) || error.retryable;
}
