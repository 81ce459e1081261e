import type { Delivered, OutboxMessage } from '../message.js';
import { readRecord } from '../store/failure-records.js';
import { readEntries, type StoredEntry } from '../store/read-log-page.js';
import type { Task } from './task.js';
import type { TermState } from './term-state.js';

/** Runs messages: one by one with a handler, or in batches with a publisher. */
export interface Runner {
  /** Most messages, or batches, in flight. */
  readonly concurrency: number;
  /** Most messages in one run. */
  readonly batchSize: number;
  /** Starts to run messages that were taken from the window. @param probe whether it is to show if the destination is up */
  start(tasks: readonly Task[], probe: boolean): void;
  /** Ends runs that have taken too long. @returns when the next one has, by the monotonic clock; undefined for never */
  timeOut(now: number): number | undefined;
}

/** A signal that is made when it is asked for: most handlers never look at it. */
export function lazySignal(): { readonly signal: AbortSignal; abort(reason?: unknown): void } {
  let controller: AbortController | undefined;
  let end: { reason: unknown } | undefined;
  return {
    get signal() {
      controller ??= new AbortController();
      if (end !== undefined) controller.abort(end.reason);
      return controller.signal;
    },
    abort(reason) {
      end ??= { reason };
      controller?.abort(reason);
    },
  };
}

/**
 * The messages, as copies that no handler has had before: one may have changed what it was given. Only what is run again
 * has to be read again.
 */
export async function freshMessages(state: TermState, tasks: readonly Task[]): Promise<Delivered<OutboxMessage>[]> {
  if (tasks.some(({ runs }) => runs > 0)) await readAgain(state, tasks);
  return tasks.map((task) => freshMessage(state, task));
}

/** As `freshMessages`, for one that was never run. */
export function freshMessage(state: TermState, task: Task): Delivered<OutboxMessage> {
  task.runs += 1;
  return state.host.deliver(task.payload as StoredEntry);
}

async function readAgain(state: TermState, tasks: readonly Task[]): Promise<void> {
  const { store } = state.host;
  const again = tasks.filter(({ runs }) => runs > 0);
  const fromLog = again.filter(({ source }) => source === 'log').map(({ position }) => position);
  const entries = new Map((await readEntries(store, fromLog)).map((entry) => [entry._id, entry]));
  for (const task of again) {
    const entry =
      task.source === 'log'
        ? entries.get(task.position)
        : (await readRecord(state.sessions, state.setup.consumer, task.position))?.entry;
    task.payload = entry ?? task.payload;
  }
}
