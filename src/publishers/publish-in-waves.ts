import type { Delivered, OutboxMessage } from '../message.js';
import type { PublishContext, PublishResult } from '../publisher.js';
import { Unavailable } from '../verdict.js';
import { asUnavailable } from './as-unavailable.js';
import { BatchOutcome } from './batch-outcome.js';

/** A message, and what is sent for it. */
export interface Prepared<M extends OutboxMessage, R> {
  readonly message: Delivered<M>;
  readonly record: R;
}

/** How one destination takes messages. */
export interface WaveSender<M extends OutboxMessage, R> {
  /** Makes what is sent for a message. What it throws is that message's own failure. */
  readonly prepare: (message: Delivered<M>) => R;
  /**
   * Sends messages of different keys and waits for every acknowledgement.
   * @returns the messages that are not stored, each with its error, an Unavailable where no message is to blame; rejects when
   * nothing is known of any
   */
  readonly send: (wave: readonly Prepared<M, R>[]) => Promise<Refused<M>>;
  /** Most messages of a wave. @defaultValue no limit */
  readonly mostPerWave?: number;
}

/** Messages that the destination did not store, each with its error. */
export type Refused<M extends OutboxMessage> = ReadonlyMap<Delivered<M>, unknown>;

/**
 * Publishes a batch to a destination that acknowledges each message by itself. Of each key at most one message is under
 * way: were two, the first could be refused and the second stored, and the key would be out of order once the first is sent again.
 *
 * Nothing more is sent once the destination is down. Then it rejects, where nothing is known of any message of the batch; else
 * what was acknowledged or refused by itself is told, and the others wait for the destination.
 */
export async function publishInWaves<M extends OutboxMessage, R>(
  messages: readonly Delivered<M>[],
  { signal }: Pick<PublishContext, 'signal'>,
  { prepare, send, mostPerWave = Infinity }: WaveSender<M, R>,
): Promise<PublishResult> {
  const outcome = new BatchOutcome<M>();
  let rest = prepareEach(messages, prepare, outcome);
  let known = 0;
  while (rest.length > 0) {
    const { wave, later } = nextWave(rest, mostPerWave);
    try {
      // Whatever is sent after that may be sent by another process as well.
      signal.throwIfAborted();
      const refused = await send(wave);
      const waiting = [...refused.values()].filter((error) => error instanceof Unavailable);
      known += wave.length - waiting.length;
      const [down] = waiting;
      if (known === 0 && down !== undefined) throw down;
      for (const [message, error] of refused) outcome.fail(message, error);
      rest = later.filter(({ message }) => !outcome.isHeld(message));
      if (down === undefined) continue;
      for (const { message } of rest) outcome.fail(message, down);
      break;
    } catch (error) {
      if (known === 0) throw error;
      for (const { message } of rest) outcome.fail(message, asUnavailable(error));
      break;
    }
  }
  return outcome.result;
}

/** The first messages of each key, in order, at most so many; and the others. */
export function nextWave<P extends { readonly message: { readonly key?: string } }>(
  prepared: readonly P[],
  most: number,
): { wave: P[]; later: P[] } {
  const wave: P[] = [];
  const later: P[] = [];
  const keys = new Set<string>();
  for (const each of prepared) {
    const { key } = each.message;
    if (wave.length < most && !(key !== undefined && keys.has(key))) wave.push(each);
    else later.push(each);
    if (key !== undefined) keys.add(key);
  }
  return { wave, later };
}

/** Those for which there is something to send, later messages of a failed one's key left out. */
export function prepareEach<M extends OutboxMessage, R>(
  messages: readonly Delivered<M>[],
  prepare: (message: Delivered<M>) => R,
  outcome: BatchOutcome<M>,
): Prepared<M, R>[] {
  const prepared: Prepared<M, R>[] = [];
  for (const message of messages) {
    if (outcome.isHeld(message)) continue;
    try {
      prepared.push({ message, record: prepare(message) });
    } catch (error) {
      outcome.fail(message, error);
    }
  }
  return prepared;
}
