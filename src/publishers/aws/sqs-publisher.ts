import type { SendMessageBatchCommandOutput, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';

import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { checkTextOf, textFor, type TextOf } from '../by-message.js';
import { checkClient, loaded, type AwsClient } from './aws-client.js';
import { resolveAwsOptions, type AwsOptions } from './aws-options.js';
import { batchFailures } from './batch-failures.js';
import { publishEntries, type Entry } from './publish-entries.js';
import { queueMessage } from './queue-message.js';

/** How messages are sent to SQS. */
export interface SqsOptions<M extends OutboxMessage> extends AwsOptions {
  /** Url of the queue, or a function of the message. One that ends in `.fifo` is a FIFO queue. */
  readonly queueUrl: TextOf<M>;
  /** What a FIFO queue recognises a repeat by, for five minutes. @defaultValue the message's id */
  readonly deduplicationId?: TextOf<M>;
}

type SqsEntry = Omit<SendMessageBatchRequestEntry, 'Id'>;

/**
 * Sends messages to queues of Amazon SQS by SendMessageBatch: the JSON of the data as body; id, type, position, created,
 * key and headers as attributes. On a FIFO queue the key is the message group, and its order is kept.
 *
 * @param client an `SQSClient` of @aws-sdk/client-sqs; it is never closed
 * @throws `INVALID_OPTION`
 */
export function sqsPublisher<M extends OutboxMessage>(client: AwsClient, options: SqsOptions<M>): Publisher<M> {
  const { maxBatchBytes, concurrency, timeoutMs } = resolveAwsOptions(
    options,
    ['queueUrl', 'deduplicationId'],
    1_048_576,
  );
  checkClient(client, 'SQS');
  checkTextOf('queueUrl', options.queueUrl, true);
  checkTextOf('deduplicationId', options.deduplicationId, false);
  const { queueUrl, deduplicationId = ({ id }) => id } = options;
  return {
    publish: (messages, context) =>
      publishEntries(messages, context, {
        name: 'SQS',
        permission: 'sqs:SendMessage, and kms:GenerateDataKey for an encrypted queue',
        isPerMessage: typeof queueUrl === 'function',
        ...{ mostBytes: maxBatchBytes, concurrency, timeoutMs },
        prepare: (message): Entry<SqsEntry> => {
          const destination = textFor('queueUrl', queueUrl, message);
          const { text, bytes, rest } = queueMessage(message, destination, deduplicationId);
          return { destination, bytes, entry: { MessageBody: text, ...rest } };
        },
        send: async (QueueUrl, entries, abortSignal) => {
          const { SendMessageBatchCommand } = await loaded('@aws-sdk/client-sqs', () => import('@aws-sdk/client-sqs'));
          const Entries = entries.map((entry, index) => ({ ...entry, Id: String(index) }));
          const command = new SendMessageBatchCommand({ QueueUrl, Entries });
          const { Failed } = (await client.send(command as never, { abortSignal })) as SendMessageBatchCommandOutput;
          return batchFailures(Failed);
        },
      }),
  };
}
