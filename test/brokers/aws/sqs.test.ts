import { expect, it, onTestFinished } from 'vitest';

import { sqsPublisher, type SqsOptions } from '../../../src/aws.js';
import { PermanentError, type OutboxMessage } from '../../../src/index.js';
import { delivered } from '../../support/delivered.js';
import { startFauxqs } from './fauxqs.js';

const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
const message = (n: number, changes: Parameters<typeof delivered>[0] = {}) =>
  delivered({ id: `id-${n}`, position: n, ...changes });

async function open(name: string, options: Partial<SqsOptions<OutboxMessage>> = {}) {
  const fauxqs = await startFauxqs();
  onTestFinished(() => fauxqs.close());
  const queueUrl = await fauxqs.createQueue(name);
  const publisher = sqsPublisher<OutboxMessage>(fauxqs.sqs, { queueUrl, ...options });
  const publish = async (...messages: Parameters<typeof publisher.publish>[0]) =>
    (await publisher.publish(messages, context)) ?? { failed: [] };
  return { ...fauxqs, queueUrl, publish, received: () => fauxqs.drain(queueUrl) };
}

it('a FIFO queue gets the key as message group and the id as deduplication id', async () => {
  const { publish, received, raw } = await open('orders.fifo');
  await publish(message(1, { key: 'order-7' }), message(2), message(3, { key: 'with blanks ä' }));
  await received();
  const ids = raw.map(({ Attributes }) => [Attributes!['MessageGroupId'], Attributes!['MessageDeduplicationId']]);
  expect(ids).toEqual([
    ['order-7', 'id-1'],
    ['id-2', 'id-2'],
    [expect.stringMatching(/^sha256-[0-9a-f]{64}$/), 'id-3'],
  ]);
});

it('a FIFO queue drops a repeat, and a message of the same id; option deduplicationId tells them apart', async () => {
  const { publish, received } = await open('orders.fifo');
  await publish(message(1));
  await publish(message(1), message(2, { id: 'id-1' }));
  expect((await received()).map(({ position }) => position)).toEqual([1]);
  const other = await open('orders.fifo', { deduplicationId: ({ position }) => String(position) });
  await other.publish(message(1));
  await other.publish(message(1), message(2, { id: 'id-1' }));
  expect((await other.received()).map(({ position }) => position)).toEqual([1, 2]);
});

it('every header comes, also those that can be no attribute, and any number of them', async () => {
  const { publish, received, raw } = await open('orders');
  const headers = {
    ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`h${n}`, `v${n}`])),
    'a b': '',
    'AWS.x': 'ä😀',
  };
  expect(await publish(message(1, { key: 'k', headers }))).toEqual({ failed: [] });
  expect((await received())[0]?.headers).toMatchObject(headers);
  expect(Object.keys(raw[0]!.MessageAttributes!).length).toBe(10);
});

it('messages that are large together go in several requests, and the largest that SQS takes goes', async () => {
  const { publish, received } = await open('orders');
  const large = Array.from({ length: 10 }, (_, n) => message(n + 1, { data: { text: 'ä'.repeat(200_000) } }));
  expect(await publish(...large)).toEqual({ failed: [] });
  const room = 1_048_576 - 300;
  const result = await publish(
    message(11, { data: { text: 'x'.repeat(room) } }),
    message(12, { data: { text: 'x'.repeat(1_048_576) } }),
  );
  expect(result.failed.map(({ position, error }) => [position, error instanceof PermanentError])).toEqual([[12, true]]);
  expect((await received()).length).toBe(11);
});

it('a smaller maxBatchBytes is the limit of a message as well', async () => {
  const { publish } = await open('orders', { maxBatchBytes: 1_024 });
  const { failed } = await publish(message(1, { data: { text: 'secret'.repeat(200) } }), message(2));
  expect(failed.map(({ position }) => position)).toEqual([1]);
  expect(String(failed[0]?.error)).toMatch(/too large for SQS: 1\d\d\d bytes, and at most 1024/);
  expect(String(failed[0]?.error)).not.toMatch(/secret/);
});

it('what SQS refuses by its characters does not come to be: JSON escapes it', async () => {
  const { publish, received } = await open('orders');
  const data = { text: '\u0000\u001f\ufffe\uffff\ud800' };
  expect(await publish(message(1, { data }))).toEqual({ failed: [] });
  expect((await received())[0]?.data).toEqual(data);
});

it('a queue that is chosen for each message and is not there is a failure of its messages only', async () => {
  const { publish, received, queueUrl } = await open('orders', {
    queueUrl: ({ type }) => (type === 'lost' ? 'http://127.0.0.1/000000000000/no-such-queue' : queueOf()),
  });
  const queueOf = () => queueUrl;
  const { failed } = await publish(message(1), message(2, { type: 'lost' }), message(3));
  expect(failed.map(({ position, error }) => [position, error instanceof PermanentError])).toEqual([[2, true]]);
  expect((await received()).map(({ position }) => position).sort()).toEqual([1, 3]);
});
