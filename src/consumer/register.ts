import { OutboxError, shown } from '../errors.js';
import type { Cursor } from '../message.js';
import type { ResolvedOptions } from '../options.js';
import type { LogMark } from '../store/log-marks.js';
import { readServerTime } from '../store/read-status.js';
import { readStart, readRegistration, registerConsumer, type FixedOptions } from '../store/registration.js';
import type { Store } from '../store/store.js';
import type { ResolvedConsumerOptions } from './consumer-options.js';

export interface Registrar {
  readonly store: Store;
  readonly options: ResolvedOptions;
  /** The position after which reading from a cursor begins. @throws `POSITION_LOST` */
  findStart(cursor: Cursor): Promise<number>;
}

/** Longest name of a consumer, in characters. */
const maxNameLength = 100;

/** @throws `INVALID_NAME` */
export function checkConsumerName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_.-]+$/.test(name) || name.length > maxNameLength)
    throw new OutboxError(
      'INVALID_NAME',
      `a consumer's name must be 1 to ${maxNameLength} letters, digits, _ . or -: got ${shown(name)}`,
    );
}

/**
 * Registers a consumer where its name is new.
 * @returns how often one of its name was removed
 * @throws `CONSUMER_MISMATCH`, `POSITION_LOST`, `INVALID_CURSOR`
 */
export async function register(host: Registrar, name: string, options: ResolvedConsumerOptions): Promise<number> {
  for (;;) {
    const { fixed, removals } = await readRegistration(host.store, name);
    if (fixed !== undefined) {
      checkFixed(name, fixed, options);
      return removals;
    }
    const mayClamp = options.from === 'beginning';
    const start = await findMark(host, options.from);
    const outcome = await registerConsumer(
      host.store,
      name,
      { order: options.order, transactional: options.transactional },
      start,
      mayClamp,
      host.options.leaseMs,
    );
    if (outcome !== 'registered') throw belowFloor(name, start.position, outcome.belowFloor.position);
  }
}

/** The place from which the cursor reads. @throws `POSITION_LOST`, `INVALID_CURSOR` for a Date in the future */
export async function findMark(host: Registrar, cursor: Cursor): Promise<LogMark> {
  if (cursor instanceof Date) {
    const now = await readServerTime(host.store);
    if (cursor.getTime() > now.getTime())
      throw new OutboxError(
        'INVALID_CURSOR',
        `a consumer can't start in the future: got ${cursor.toISOString()}, it is ${now.toISOString()} on the server; "end" starts with what comes from now on`,
      );
  }
  for (;;) {
    const mark = await readStart(host.store, await host.findStart(cursor));
    // Overwritten between the two reads.
    if (mark !== undefined) return mark;
  }
}

function checkFixed(name: string, fixed: FixedOptions, options: ResolvedConsumerOptions): void {
  for (const option of ['order', 'transactional'] as const) {
    if (fixed[option] !== options[option])
      throw new OutboxError(
        'CONSUMER_MISMATCH',
        `consumer ${shown(name)} exists with ${option}: ${shown(fixed[option])}, and was called with ${shown(options[option])}: this option is fixed; use the same, another name, or remove the consumer first (outbox.consumers.remove(${shown(name)}))`,
      );
  }
}

export function belowFloor(name: string, position: number, floor: number): OutboxError {
  return new OutboxError(
    'POSITION_LOST',
    `consumer ${shown(name)} can't start after position ${position}: the log may be overwritten up to position ${floor} by now; start at "beginning", or after ${floor}`,
    { oldest: floor + 1 },
  );
}
