import type { PublishBatchCommandOutput, PublishBatchRequestEntry } from '@aws-sdk/client-sns';

import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { checkTextOf, textFor, type TextOf } from '../by-message.js';
import { checkClient, loaded, type AwsClient } from './aws-client.js';
import { resolveAwsOptions, type AwsOptions } from './aws-options.js';
import { batchFailures } from './batch-failures.js';
import { publishEntries, type Entry } from './publish-entries.js';
import { queueMessage } from './queue-message.js';

/** How messages are sent to SNS. */
export interface SnsOptions<M extends OutboxMessage> extends AwsOptions {
  /** ARN of the topic, or a function of the message. One that ends in `.fifo` is a FIFO topic. */
  readonly topicArn: TextOf<M>;
  /** What a FIFO topic recognises a repeat by, for five minutes. @defaultValue the message's id */
  readonly deduplicationId?: TextOf<M>;
}

type SnsEntry = Omit<PublishBatchRequestEntry, 'Id'>;

/**
 * Sends messages to topics of Amazon SNS by PublishBatch: the JSON of the data as message; id, type, position, created,
 * key and headers as attributes, which filter policies can use. On a FIFO topic the key is the message group, and its order is kept.
 *
 * @param client an `SNSClient` of @aws-sdk/client-sns; it is never closed
 * @throws `INVALID_OPTION`
 */
export function snsPublisher<M extends OutboxMessage>(client: AwsClient, options: SnsOptions<M>): Publisher<M> {
  const { maxBatchBytes, concurrency, timeoutMs } = resolveAwsOptions(
    options,
    ['topicArn', 'deduplicationId'],
    262_144,
  );
  checkClient(client, 'SNS');
  checkTextOf('topicArn', options.topicArn, true);
  checkTextOf('deduplicationId', options.deduplicationId, false);
  const { topicArn, deduplicationId = ({ id }) => id } = options;
  return {
    publish: (messages, context) =>
      publishEntries(messages, context, {
        name: 'SNS',
        permission: 'sns:Publish, and kms:GenerateDataKey for an encrypted topic',
        isPerMessage: typeof topicArn === 'function',
        ...{ mostBytes: maxBatchBytes, concurrency, timeoutMs },
        prepare: (message): Entry<SnsEntry> => {
          const destination = textFor('topicArn', topicArn, message);
          const { text, bytes, rest } = queueMessage(message, destination, deduplicationId);
          return { destination, bytes, entry: { Message: text, ...rest } };
        },
        send: async (TopicArn, entries, abortSignal) => {
          const { PublishBatchCommand } = await loaded('@aws-sdk/client-sns', () => import('@aws-sdk/client-sns'));
          const PublishBatchRequestEntries = entries.map((entry, index) => ({ ...entry, Id: String(index) }));
          const command = new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries });
          const { Failed } = (await client.send(command as never, { abortSignal })) as PublishBatchCommandOutput;
          return batchFailures(Failed);
        },
      }),
  };
}
