import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { abandonable, abandoned } from '../../internal/abort.js';
import { PermanentError } from '../../verdict.js';
import { inTurn } from '../../internal/session-queue.js';
import { publishInPortions } from '../publish-in-portions.js';
import { checkKafkaOptions, kafkaDefaults, type KafkaPublisherOptions } from './kafka-options.js';
import { kafkaRecord, type KafkaRecord } from './kafka-record.js';
import { portionsOf, type Portion } from './portions.js';
import { sendVerdict } from './send-verdict.js';

/** How one client sends. */
export interface KafkaClient {
  /** Sends records, with acks of all replicas; resolves when they are acknowledged. No further request after `signal`. */
  readonly send: (records: readonly KafkaRecord[], signal: AbortSignal) => Promise<void>;
  /** Throws for a record that this client would not store as it is. */
  readonly checkRecord: ((record: KafkaRecord) => void) | undefined;
}

/**
 * A publisher over one producer; two of them on the same producer take turns, since clients store what is sent at once out
 * of order, or lose it.
 */
export function publisherFor<M extends OutboxMessage>(
  producer: object,
  given: KafkaPublisherOptions<M>,
  { send, checkRecord }: KafkaClient,
): Publisher<M> {
  checkKafkaOptions(given);
  const options = { ...kafkaDefaults, ...given };
  const toRecord = (message: Parameters<typeof kafkaRecord<M>>[0]): KafkaRecord => {
    const record = kafkaRecord(message, options);
    checkRecord?.(record);
    return record;
  };
  const sendAll = async (records: readonly KafkaRecord[], signal: AbortSignal): Promise<PermanentError | undefined> => {
    try {
      await send(records, signal);
      return undefined;
    } catch (error) {
      const verdict = sendVerdict(error, records);
      if (verdict instanceof PermanentError) return verdict;
      throw verdict;
    }
  };
  const cut = (batch: Portion<M>) => portionsOf(batch, options.maxRequestBytes);
  return {
    publish: async (messages, { signal }) => {
      const run = inTurn(producer, () =>
        publishInPortions(
          messages,
          { signal },
          { prepare: toRecord, cut, send: (records) => sendAll(records, signal) },
        ),
      );
      // A client tries for long; whoever has lost the lease need not wait for it, but what is sent next does.
      const outcome = await abandonable(run, signal);
      if (outcome === abandoned) throw signal.reason;
      return outcome;
    },
  };
}
