import { OutboxError } from '../errors.js';
import { readNewest } from '../store/log-bounds.js';
import { readBegunRecords, readRecord } from '../store/failure-records.js';
import type { FailureLoader } from './failure-loader.js';
import type { Settlement } from './settlement.js';
import { recordTask } from './task.js';
import type { TermState } from './term-state.js';

/** What an earlier owner left: failures, and messages that were in flight when it died. Nothing may be run before. */
export async function recover(state: TermState, failures: FailureLoader, settlement: Settlement): Promise<void> {
  const { host, setup, solo } = state;
  const { consumer, options, checkpoint } = setup;
  await failures.start();
  if (checkpoint.begun !== null) {
    solo.endAt((await readNewest(host.store))?.position ?? 0);
    solo.setRecords(await readBegunRecords(state.sessions, consumer, state.fence.epoch));
  }
  // One of the log is found when it is read.
  if (solo.died?.source !== 'failures') return;
  const record = await readRecord(state.sessions, consumer, solo.died.position);
  if (record !== undefined) settlement.convict(recordTask(record, options.order), processDied(consumer));
}

/** Failures may have been discarded: those that were in flight when an earlier owner died are not waited for then. */
export async function recheckSolo({ sessions, solo, fence }: TermState): Promise<void> {
  solo.keepRecords(await readBegunRecords(sessions, fence.consumer, fence.epoch));
}

export function processDied(consumer: string): OutboxError {
  return new OutboxError(
    'PROCESS_DIED',
    `the process of consumer "${consumer}" died, or stood still for longer than its lease, while it handled this message alone`,
  );
}
