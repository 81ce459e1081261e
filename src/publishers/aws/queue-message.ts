import type { Delivered, OutboxMessage } from '../../message.js';
import { textFor, type TextOf } from '../by-message.js';
import { awsJson, fifoId, utf8Bytes } from './aws-text.js';
import { bytesOfAttributes, messageAttributes, type AwsAttribute } from './message-attributes.js';

/** What SQS and SNS have of a message, under names of their own for the text. */
export interface QueueMessage {
  /** JSON of the data. */
  readonly text: string;
  readonly bytes: number;
  readonly rest: {
    readonly MessageAttributes: Record<string, AwsAttribute>;
    /** Only of FIFO queues and topics. */
    readonly MessageGroupId?: string;
    readonly MessageDeduplicationId?: string;
  };
}

/** @param destination url of a queue or ARN of a topic; FIFO ones end in `.fifo` */
export function queueMessage<M extends OutboxMessage>(
  message: Delivered<M>,
  destination: string,
  deduplicationId: TextOf<M>,
): QueueMessage {
  const text = awsJson(message.data);
  const MessageAttributes = messageAttributes(message);
  const fifo = () => ({
    MessageGroupId: fifoId(message.key ?? message.id),
    MessageDeduplicationId: fifoId(textFor('deduplicationId', deduplicationId, message)),
  });
  return {
    text,
    bytes: utf8Bytes(text) + bytesOfAttributes(MessageAttributes),
    rest: { MessageAttributes, ...(destination.endsWith('.fifo') ? fifo() : {}) },
  };
}
