import { PermanentError, Unavailable } from '../../verdict.js';
import { kafkaErrorKind } from './kafka-error.js';
import type { KafkaRecord } from './kafka-record.js';

/**
 * Who is at fault for a send that failed: it decides whether the relay waits or looks for a message to blame.
 *
 * @returns a PermanentError where one of the records is refused for what it is
 */
export function sendVerdict(error: unknown, records: readonly Pick<KafkaRecord, 'topic'>[]): unknown {
  const options = { cause: error };
  switch (kafkaErrorKind(error)) {
    case 'record refused':
      return new PermanentError(
        'Kafka refuses this record, and would again: it is larger than the producer or the topic allows (max.message.bytes), or the topic wants a key; see the cause',
        options,
      );
    case 'topic refused': {
      const topics = [...new Set(records.map(({ topic }) => topic))].slice(0, 5).join(', ');
      return new Unavailable(
        `Kafka takes nothing for one of the topics ${topics}: create it, or allow this producer to write to it; nothing is published until then, and nothing is lost`,
        options,
      );
    }
    case 'unavailable':
      return new Unavailable(
        'Kafka did not acknowledge a batch, which may be stored all the same; it is sent again',
        options,
      );
    case 'unknown':
      return error;
  }
}
