import { describe, it } from 'vitest';

import { publisherCases } from '../../../src/testing.js';
import { snsPublisher, sqsPublisher } from '../../../src/aws.js';
import { startFauxqs } from './fauxqs.js';

// A paused server is one that does not answer; killed, fauxqs would lose what it holds.
const timeoutMs = 300;

describe.each([
  ['a FIFO queue of SQS', 'orders.fifo', true],
  ['a standard queue of SQS', 'orders', false],
])('%s', (_, name, ordered) => {
  const cases = publisherCases(
    async () => {
      const fauxqs = await startFauxqs();
      const queueUrl = await fauxqs.createQueue(name, { MaximumMessageSize: '2048' });
      return {
        publisher: sqsPublisher(fauxqs.sqs, { queueUrl, timeoutMs }),
        received: () => fauxqs.drain(queueUrl),
        // More than the queue takes, and less than SQS does.
        refused: { data: { text: 'x'.repeat(3_000) } },
        down: async () => fauxqs.server.pause(),
        up: async () => fauxqs.server.resume(),
        clientWorks: async () =>
          (await fauxqs.sqs.config.region()) === 'us-east-1' && (await fauxqs.createQueue('another')) !== '',
        close: () => fauxqs.close(),
      };
    },
    { ordered },
  );
  for (const each of cases) it(each.name, each.run);
});

describe.each([
  ['a FIFO topic of SNS', 'orders.fifo', true],
  ['a standard topic of SNS', 'orders', false],
])('%s', (_, name, ordered) => {
  const cases = publisherCases(
    async () => {
      const fauxqs = await startFauxqs();
      const { topicArn, queueUrl } = await fauxqs.createTopic(name);
      return {
        publisher: snsPublisher(fauxqs.sns, { topicArn, timeoutMs, maxBatchBytes: 1_048_576 }),
        received: () => fauxqs.drain(queueUrl),
        // More than the topic takes, as its answer says.
        refused: { data: { text: 'x'.repeat(262_200) } },
        down: async () => fauxqs.server.pause(),
        up: async () => fauxqs.server.resume(),
        close: () => fauxqs.close(),
      };
    },
    { ordered },
  );
  for (const each of cases) it(each.name, each.run);
});
