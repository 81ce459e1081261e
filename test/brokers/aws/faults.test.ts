import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { setTimeout as after } from 'node:timers/promises';

import { describe, expect, it, onTestFinished } from 'vitest';

import { snsPublisher, sqsPublisher } from '../../../src/aws.js';
import { Unavailable, type Publisher } from '../../../src/index.js';
import { doneOf } from '../../support/done-of.js';
import { startLink } from '../../support/link.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';
import { startFauxqs, type Fauxqs } from './fauxqs.js';

type Messages = ReturnType<typeof testMessages>;
type TestPublisher = Publisher<Messages[number]>;
const timeoutMs = 1_000;

async function fauxqsOfTest(): Promise<Fauxqs> {
  const fauxqs = await startFauxqs();
  onTestFinished(() => fauxqs.close());
  return fauxqs;
}

/** A destination behind a link; `drain` reads past it. */
interface Site {
  readonly publisher: TestPublisher;
  readonly drain: () => ReturnType<Fauxqs['drain']>;
}

const behind = (port: number) => ({
  endpoint: `http://127.0.0.1:${port}`,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});

async function sqsSite(fauxqs: Fauxqs, port: number, name: string): Promise<Site> {
  const queueUrl = await fauxqs.createQueue(name);
  const client = new SQSClient(behind(port));
  onTestFinished(() => client.destroy());
  return { publisher: sqsPublisher(client, { queueUrl, timeoutMs }), drain: () => fauxqs.drain(queueUrl) };
}

async function snsSite(fauxqs: Fauxqs, port: number, name: string): Promise<Site> {
  const { topicArn, queueUrl } = await fauxqs.createTopic(name);
  const client = new SNSClient(behind(port));
  onTestFinished(() => client.destroy());
  return { publisher: snsPublisher(client, { topicArn, timeoutMs }), drain: () => fauxqs.drain(queueUrl) };
}

describe.each([
  ['a FIFO queue of SQS', 'orders.fifo', sqsSite],
  ['a standard queue of SQS', 'orders', sqsSite],
  ['a FIFO topic of SNS', 'orders.fifo', snsSite],
])('%s', (_, name, open) => {
  const isFifo = name.endsWith('.fifo');
  const check = (received: Awaited<ReturnType<Fauxqs['drain']>>, messages: Messages, most: number) => {
    // A standard queue promises no order, so none is asked of it.
    const repeats = checkReceived(received, isFifo ? messages : messages.map((each) => ({ ...each, key: each.id })));
    // A FIFO queue drops what comes again.
    expect(repeats).toBeLessThanOrEqual(isFifo ? 0 : most);
  };

  it('loses nothing when the network breaks in the middle of a batch', async () => {
    const fauxqs = await fauxqsOfTest();
    const link = await startLink(fauxqs.server.port);
    onTestFinished(() => link.close());
    const { publisher, drain } = await open(fauxqs, link.port, name);
    const messages = testMessages(300, 20);
    const breaks = [1, 3].map((n) => async (batch: number) => {
      if (batch !== n) return;
      // While the batch is under way.
      void after(5).then(() => link.cut());
      void after(400).then(() => link.mend());
    });
    const { outages, dead } = await relayAll(publisher, messages, {
      onBatch: (batch) => Promise.all(breaks.map((each) => each(batch))),
    });
    expect(outages).toBeGreaterThan(0);
    expect([...dead]).toEqual([]);
    // Two batches were cut.
    check(await drain(), messages, 100);
  });

  it('goes on after a server stood still for 5 s', async () => {
    const fauxqs = await fauxqsOfTest();
    const { publisher, drain } = await open(fauxqs, fauxqs.server.port, name);
    const messages = testMessages(200, 20);
    const { outages, dead } = await relayAll(publisher, messages, {
      onBatch: (batch) => {
        if (batch !== 1) return;
        fauxqs.server.pause();
        void after(5_000).then(() => fauxqs.server.resume());
      },
    });
    expect(outages).toBeGreaterThan(0);
    expect([...dead]).toEqual([]);
    // Each time that it was given up, the server had the whole batch; a relay sends one message then.
    check(await drain(), messages, outages * 50);
  });
});

describe('SQS', () => {
  it('that is down at the start is an outage, and is found once it is there', async () => {
    const fauxqs = await fauxqsOfTest();
    const queueUrl = await fauxqs.createQueue('orders.fifo');
    await fauxqs.server.kill9();
    const publisher: TestPublisher = sqsPublisher(fauxqs.sqs, { queueUrl, timeoutMs });
    const messages = testMessages(20, 3);
    const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
    const error: unknown = await publisher.publish(messages, context).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Unavailable);
    expect((error as Error).message).toBe('SQS can not take messages: ECONNREFUSED; it is tried again');
    await fauxqs.server.restart();
    // A queue that is not there, since fauxqs keeps nothing, is an outage as well.
    const missing: unknown = await publisher.publish(messages, context).catch((thrown: unknown) => thrown);
    expect((missing as Error).message).toMatch(
      /^SQS does not have what messages are sent to: QueueDoesNotExist; create it/,
    );
    await fauxqs.createQueue('orders.fifo');
    expect(await relayAll(publisher, messages)).toMatchObject({ outages: 0 });
    expect(checkReceived(await fauxqs.drain(queueUrl), messages)).toBe(0);
  });

  it('that is killed in the middle and started again gets all that it had not acknowledged', async () => {
    const fauxqs = await fauxqsOfTest();
    const queueUrl = await fauxqs.createQueue('orders.fifo');
    const inner = sqsPublisher<Messages[number]>(fauxqs.sqs, { queueUrl, timeoutMs });
    // fauxqs loses what it acknowledged; SQS does not.
    const acknowledgedBefore = new Set<number>();
    let isBefore = true;
    const publisher: TestPublisher = {
      publish: async (batch, context) => {
        const wasBefore = isBefore;
        const result = (await inner.publish(batch, context)) ?? { failed: [] };
        if (wasBefore) for (const position of doneOf(batch, result)) acknowledgedBefore.add(position);
        return result;
      },
    };
    const messages = testMessages(300, 20);
    const { outages, dead } = await relayAll(publisher, messages, {
      onBatch: (batch) => {
        if (batch !== 2) return;
        void after(5).then(async () => {
          await fauxqs.server.kill9();
          isBefore = false;
          await fauxqs.server.restart();
          await fauxqs.createQueue('orders.fifo');
        });
      },
    });
    expect(outages).toBeGreaterThan(0);
    expect([...dead]).toEqual([]);
    expect(acknowledgedBefore.size).toBeLessThan(200);
    const rest = messages.filter(({ position }) => !acknowledgedBefore.has(position));
    checkReceived(await fauxqs.drain(queueUrl), rest);
  });
});
