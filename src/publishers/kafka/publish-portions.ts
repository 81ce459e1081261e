import type { Delivered, OutboxMessage } from '../../message.js';
import type { PublishResult } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { BatchOutcome } from '../batch-outcome.js';
import { prepareEach } from '../publish-in-waves.js';
import { kafkaErrorKind } from './kafka-error.js';
import type { KafkaRecord } from './kafka-record.js';
import { halves, portionsOf, type Portion } from './portions.js';

/** Sends records in one request, with acks of all replicas; resolves when they are acknowledged. */
export type SendRecords = (records: readonly KafkaRecord[]) => Promise<void>;

export interface KafkaSending<M extends OutboxMessage> {
  readonly toRecord: (message: Delivered<M>) => KafkaRecord;
  readonly send: SendRecords;
  readonly maxRequestBytes: number;
}

/**
 * Publishes a batch, one awaited request after another; most batches are one request. A request that Kafka refuses for one
 * of its records is halved until that record is alone: it is a permanent failure, later messages of its key are not sent,
 * and the others go on in order.
 *
 * Rejects when nothing was acknowledged; what was acknowledged before is done.
 */
export async function publishPortions<M extends OutboxMessage>(
  messages: readonly Delivered<M>[],
  signal: AbortSignal,
  { toRecord, send, maxRequestBytes }: KafkaSending<M>,
): Promise<PublishResult> {
  const outcome = new BatchOutcome<M>();
  const queue = portionsOf(prepareEach(messages, toRecord, outcome), maxRequestBytes);
  let acknowledged = false;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const portion = next.filter(({ message }) => !outcome.isHeld(message));
    if (portion.length === 0) continue;
    try {
      // Whatever is sent after that may be sent by another process as well.
      signal.throwIfAborted();
      await send(portion.map(({ record }) => record));
      acknowledged = true;
    } catch (error) {
      if (kafkaErrorKind(error) === 'record refused') {
        if (portion.length > 1) queue.unshift(...halves(portion));
        else outcome.fail((portion[0] as Portion<M>[number]).message, recordRefused(error));
        continue;
      }
      const reason = rejection(error, portion);
      if (!acknowledged) throw reason;
      const waiting = reason instanceof Unavailable ? reason : new Unavailable('a request failed', { cause: reason });
      for (const { message } of [...portion, ...queue.flat()]) outcome.fail(message, waiting);
      break;
    }
  }
  return outcome.result;
}

function recordRefused(error: unknown): PermanentError {
  return new PermanentError(
    'Kafka refuses this record, and would again: it is larger than the producer or the topic allows (max.message.bytes), or the topic wants a key; see the cause',
    { cause: error },
  );
}

/** What the relay is told: who is at fault decides whether it waits or looks for a message to blame. */
function rejection(error: unknown, portion: Portion<OutboxMessage>): unknown {
  const kind = kafkaErrorKind(error);
  if (kind === 'unavailable')
    return new Unavailable('Kafka did not acknowledge a batch, which may be stored all the same; it is sent again', {
      cause: error,
    });
  if (kind !== 'topic refused') return error;
  const topics = [...new Set(portion.map(({ record }) => record.topic))].slice(0, 5).join(', ');
  return new Unavailable(
    `Kafka takes nothing for one of the topics ${topics}: create it, or allow this producer to write to it; nothing is published until then, and nothing is lost`,
    { cause: error },
  );
}
