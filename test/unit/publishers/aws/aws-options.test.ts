import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, expect, it } from 'vitest';

import { eventBridgePublisher, snsPublisher, sqsPublisher } from '../../../../src/aws.js';

const region = 'us-east-1';
const clients = {
  sqs: new SQSClient({ region }),
  sns: new SNSClient({ region }),
  events: new EventBridgeClient({ region }),
};
afterAll(() => Object.values(clients).forEach((client) => client.destroy()));

const make = {
  sqs: (options: unknown, client: unknown = clients.sqs) => sqsPublisher(client as never, options as never),
  sns: (options: unknown, client: unknown = clients.sns) => snsPublisher(client as never, options as never),
  events: (options: unknown, client: unknown = clients.events) =>
    eventBridgePublisher(client as never, options as never),
};
const refusal = (text: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(text) as string }) as Error;
const good = { sqs: { queueUrl: 'q' }, sns: { topicArn: 't' }, events: { source: 's' } };

it.each<[keyof typeof make, object]>([
  [
    'sqs',
    { queueUrl: () => 'q', deduplicationId: () => 'd', maxBatchBytes: 1_048_576, concurrency: 1, timeoutMs: 100 },
  ],
  ['sqs', { queueUrl: 'q', maxBatchBytes: undefined }],
  ['sns', { topicArn: () => 't', deduplicationId: 'd' }],
  ['events', { source: () => 's', eventBusName: 'b', detailType: () => 't', detail: () => ({}) }],
])('takes for %s: %j', (service, options) => {
  expect(() => make[service](options)).not.toThrow();
});

it.each<[keyof typeof make, string, unknown]>([
  ['sqs', 'the options must be an object', undefined],
  ['sqs', 'option queueUrl must be a text', {}],
  ['sqs', 'option queue is unknown', { queue: 'q' }],
  ['sqs', 'option deduplicationId must be a text', { ...good.sqs, deduplicationId: 5 }],
  [
    'sqs',
    'option maxBatchBytes must be a whole number from 1024 to 1048576',
    { ...good.sqs, maxBatchBytes: 1_048_577 },
  ],
  ['sns', 'option topicArn must be a text', { topicArn: '' }],
  ['sns', 'option concurrency must be a whole number', { ...good.sns, concurrency: 0 }],
  ['events', 'option source must be a text', {}],
  ['events', 'option detail must be a function', { ...good.events, detail: {} }],
  ['events', 'option timeoutMs must be a whole number', { ...good.events, timeoutMs: 1 }],
  ['events', 'option deduplicationId is unknown', { ...good.events, deduplicationId: 'x' }],
])('refuses for %s: %s', (service, text, options) => {
  expect(() => make[service](options)).toThrow(refusal(text));
});

it.each<[keyof typeof make, string, unknown]>([
  ['sqs', 'new SQSClient({ … }) of @aws-sdk/client-sqs: got a client of SNS', clients.sns],
  ['sns', 'new SNSClient({ … }) of @aws-sdk/client-sns: got a client of SQS', clients.sqs],
  ['events', 'new EventBridgeClient({ … }) of @aws-sdk/client-eventbridge: got null', null],
  ['sqs', 'got an object of Object', { sendMessage: () => undefined }],
])('refuses the client for %s: %s', (service, text, client) => {
  expect(() => make[service](good[service], client)).toThrow(refusal(text));
});
