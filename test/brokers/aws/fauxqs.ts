import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
  type Message,
} from '@aws-sdk/client-sqs';

import { freePorts } from '../../../dev/free-ports.js';
import { removeFolder, ServerProcess } from '../../../dev/server-process.js';
import type { ReceivedMessage } from '../../../src/testing.js';

/** SQS and SNS in a process of its own. It keeps everything in memory: what it held is gone when it is killed. */
export interface Fauxqs {
  readonly server: ServerProcess;
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  createQueue(name: string, attributes?: Record<string, string>): Promise<string>;
  /** A topic, and a queue that gets what is published to it. */
  createTopic(name: string): Promise<{ topicArn: string; queueUrl: string }>;
  /** Takes all messages out of a queue; gives these and all that were taken before. */
  drain(queueUrl: string): Promise<readonly ReceivedMessage[]>;
  /** The last messages that `drain` took, as they were. */
  readonly raw: Message[];
  close(): Promise<void>;
}

export async function startFauxqs(): Promise<Fauxqs> {
  const folder = mkdtempSync(join(tmpdir(), 'fauxqs-'));
  const [port] = (await freePorts(1)) as [number];
  const main = fileURLToPath(new URL('fauxqs-main.mjs', import.meta.url));
  const server = new ServerProcess({
    name: 'fauxqs',
    binary: process.execPath,
    args: [main, String(port)],
    folder,
    port,
  });
  await server.start();
  const config = {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  const sqs = new SQSClient(config);
  const sns = new SNSClient(config);
  const reader = new SQSClient(config);
  const received: ReceivedMessage[] = [];
  const raw: Message[] = [];

  const createQueue = async (name: string, attributes: Record<string, string> = {}) => {
    const fifo = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
    const command = new CreateQueueCommand({ QueueName: name, Attributes: { ...attributes, ...fifo } });
    return (await reader.send(command)).QueueUrl!;
  };
  return {
    ...{ server, sqs, sns, raw, createQueue },
    createTopic: async (name) => {
      const attributes = name.endsWith('.fifo') ? { FifoTopic: 'true' } : {};
      const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: name, Attributes: attributes }));
      const queueUrl = await createQueue(name);
      const { Attributes } = await reader.send(
        new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }),
      );
      const subscription = { Endpoint: Attributes!['QueueArn'], Attributes: { RawMessageDelivery: 'true' } };
      await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', ...subscription }));
      return { topicArn: TopicArn!, queueUrl };
    },
    drain: async (QueueUrl) => {
      for (;;) {
        const { Messages = [] } = await reader.send(
          new ReceiveMessageCommand({
            QueueUrl,
            MaxNumberOfMessages: 10,
            MessageAttributeNames: ['All'],
            AttributeNames: ['All'],
          }),
        );
        if (Messages.length === 0) return [...received];
        raw.push(...Messages);
        received.push(...Messages.map(messageOf));
        const Entries = Messages.map(({ ReceiptHandle }, index) => ({
          Id: String(index),
          ReceiptHandle: ReceiptHandle!,
        }));
        await reader.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
      }
    },
    close: async () => {
      for (const client of [sqs, sns, reader]) client.destroy();
      await server.kill9();
      removeFolder(folder);
    },
  };
}

/** The message as a reader puts it together again. */
function messageOf({ Body, MessageAttributes = {} }: Message): ReceivedMessage {
  const values = Object.fromEntries(
    Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue!]),
  );
  const { id, type, position, key, headers = '{}', ...single } = values;
  return {
    id: id!,
    type: type!,
    key,
    position: Number(position),
    data: JSON.parse(Body!) as unknown,
    headers: { ...single, ...(JSON.parse(headers) as Record<string, string>) },
  };
}
