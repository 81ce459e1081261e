import { OutboxError } from '../../errors.js';
import { Unavailable } from '../../verdict.js';
import type { KafkaRecord } from './kafka-record.js';
import { byTopic, type KafkaJsProducer } from './kafkajs-batch.js';
import { watchTries } from './kafkajs-tries.js';

const allReplicas = -1;
/** How often what was not sent is sent again: each time the leader of a partition has changed meanwhile. */
const mostAgain = 5;
const warned = new WeakSet<object>();

/**
 * Sends the records with one `sendBatch`, and those that kafkajs left out with further ones, until the signal aborts;
 * resolves when all are acknowledged.
 */
export async function sendWithKafkajs(
  producer: KafkaJsProducer,
  records: readonly KafkaRecord[],
  signal: AbortSignal,
): Promise<void> {
  let left = records;
  for (let again = 0; again <= mostAgain; again += 1) {
    // Whatever is sent after that may be sent by another process as well.
    signal.throwIfAborted();
    const { topics, messageOf } = byTopic(left);
    const unsent = watchTries(topics);
    const missing = unsent(await producer.sendBatch({ acks: allReplicas, topicMessages: topics }));
    if (missing === undefined) return warnOnce(producer);
    if (missing.size === 0) return;
    const known = left.filter((record) => missing.has(messageOf.get(record)));
    // Where something has put other objects in their place, it is not known which they are.
    if (known.length === missing.size) left = known;
  }
  throw new Unavailable(
    'kafkajs does not send some of the messages: the leaders of their partitions change again and again, or the partitioner names a partition that is not there; they are sent again',
  );
}

/**
 * After a request that failed, an idempotent producer of kafkajs gives its sequence numbers to the next messages, also where
 * the broker had stored it: the broker then takes those for repeats and acknowledges them without storing them
 * (sendMessages.js, eosManager in kafkajs 2.2).
 *
 * @throws `INVALID_OPTION`
 */
export function refuseIdempotent(producer: KafkaJsProducer): void {
  if (producer.isIdempotent?.() !== true) return;
  throw new OutboxError(
    'INVALID_OPTION',
    'the producer of kafkajs is idempotent, and can then acknowledge messages that were not stored: after a request whose answer was lost it numbers other messages like those, and the broker takes them for repeats; make it without idempotent: true, which a relay needs neither for order nor for its acknowledgements',
  );
}

function warnOnce(producer: KafkaJsProducer): void {
  if (warned.has(producer)) return;
  warned.add(producer);
  process.emitWarning(
    'something between kafkaPublisher and the producer of kafkajs copies the messages or keeps the result to itself, or this version of kafkajs is not known: what kafkajs loses when the leader of a partition changes while it tries again (tulios/kafkajs#1303) can then not be noticed; pass the producer as kafkajs made it, or make it with retry: { retries: 0 }',
    { code: 'SERVICE_OUTBOX_KAFKAJS' },
  );
}
