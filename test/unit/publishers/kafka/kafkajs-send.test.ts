import { afterEach, expect, it, vi } from 'vitest';

import { Unavailable } from '../../../../src/index.js';
import { kafkaPublisher } from '../../../../src/kafka.js';
import type { KafkaJsProducer } from '../../../../src/publishers/kafka/kafkajs-batch.js';
import type { KafkaRecord } from '../../../../src/publishers/kafka/kafka-record.js';
import { sendWithKafkajs } from '../../../../src/publishers/kafka/kafkajs-send.js';
import { Tries } from '../../../../src/publishers/kafka/kafkajs-tries.js';
import { shareOut, type Acknowledged } from '../../../support/kafkajs-shares.js';

const send = (producer: KafkaJsProducer, records: readonly KafkaRecord[], signal = new AbortController().signal) =>
  sendWithKafkajs(producer, records, signal);

type Batch = Parameters<KafkaJsProducer['sendBatch']>[0];

const record = (value: string, topic = 'orders'): KafkaRecord => ({ topic, key: null, value, headers: {} });
const valuesOf = ({ topicMessages }: Batch) =>
  topicMessages.flatMap(({ messages }) => messages.map(({ value }) => value));

/** A producer that acknowledges what `answer` leaves of the partitions, by number of the call. */
function producerOf(answer: (partitions: Acknowledged[], call: number) => unknown) {
  const sent: unknown[][] = [];
  const sendBatch = (batch: Batch) => {
    sent.push(valuesOf(batch));
    return Promise.resolve(answer(shareOut(batch), sent.length));
  };
  return { sent, sendBatch };
}

afterEach(() => void vi.restoreAllMocks());

it('what was acknowledged is sent once', async () => {
  const producer = producerOf((partitions) => partitions);
  await send(producer, [record('a1'), record('b1'), record('a2')]);
  expect(producer.sent).toEqual([['a1', 'b1', 'a2']]);
});

it('the messages of a partition that nobody acknowledged are sent again, in their order, and nothing else is', async () => {
  const producer = producerOf((partitions, call) => (call === 1 ? partitions.slice(1) : partitions));
  await send(producer, [record('a1'), record('b1'), record('a2'), record('c1')]);
  expect(producer.sent).toEqual([
    ['a1', 'b1', 'a2', 'c1'],
    ['a1', 'a2'],
  ]);
});

it('a partition of one topic is not taken for that of another', async () => {
  const producer = producerOf((partitions, call) => (call === 1 ? partitions.slice(0, 1) : partitions));
  await send(producer, [record('a1', 'one'), record('a2', 'two')]);
  expect(producer.sent).toEqual([['a1', 'a2'], ['a2']]);
});

it('nothing more is sent once the signal has aborted', async () => {
  const abort = new AbortController();
  const producer = producerOf((partitions) => {
    abort.abort(new Error('the lease was lost'));
    return partitions.slice(1);
  });
  await expect(send(producer, [record('a1'), record('b1')], abort.signal)).rejects.toThrow('the lease was lost');
  expect(producer.sent).toEqual([['a1', 'b1']]);
});

it('leaders that change without an end are an outage', async () => {
  const producer = producerOf((partitions) => partitions.slice(1));
  await expect(send(producer, [record('a1'), record('b1')])).rejects.toBeInstanceOf(Unavailable);
  expect(producer.sent).toEqual([['a1', 'b1'], ...Array.from({ length: 5 }, () => ['a1'])]);
});

it.each([
  [
    'copies the messages',
    (batch: Batch) =>
      shareOut({ topicMessages: batch.topicMessages.map((each) => ({ ...each, messages: [...each.messages] })) }),
  ],
  ['keeps the result to itself', (batch: Batch) => void shareOut(batch)],
])('a wrapper of the producer that %s is warned of, once', async (_what, wrapped) => {
  const warning = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const producer = { sendBatch: (batch: Batch) => Promise.resolve(wrapped(batch)) };
  await send(producer, [record('a1')]);
  await send(producer, [record('a2')]);
  expect(warning).toHaveBeenCalledOnce();
  expect(warning.mock.calls[0]).toEqual([expect.stringContaining('retries: 0'), { code: 'SERVICE_OUTBOX_KAFKAJS' }]);
});

it('others may call reduce too', async () => {
  const { sent, sendBatch } = producerOf((partitions, call) => (call === 1 ? partitions.slice(1) : partitions));
  const metered = (batch: Batch) => {
    const bytes = () => batch.topicMessages[0]!.messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    expect(bytes()).toBeGreaterThan(0);
    const result = sendBatch(batch);
    batch.topicMessages[0]!.messages.reduce<undefined>(() => undefined, undefined);
    batch.topicMessages[0]!.messages.reduce<object>(
      (all, each) => ({ ...all, [`key ${String(each.value)}`]: [each] }),
      {},
    );
    return result;
  };
  await send({ sendBatch: metered }, [record('a1'), record('b1')]);
  expect(sent).toEqual([['a1', 'b1'], ['a1']]);
});

it('where it is not known which messages were left out, all are sent again', async () => {
  const { sent, sendBatch } = producerOf((partitions, call) => (call === 1 ? partitions.slice(1) : partitions));
  const replaced = (batch: Batch) => {
    for (const { messages } of batch.topicMessages)
      for (const [index, message] of messages.entries()) messages[index] = { ...message };
    return sendBatch(batch);
  };
  await send({ sendBatch: replaced }, [record('a1'), record('b1')]);
  expect(sent).toEqual([
    ['a1', 'b1'],
    ['a1', 'b1'],
  ]);
});

it('an idempotent producer is refused', () => {
  const producer = { sendBatch: () => Promise.resolve(), isIdempotent: () => true };
  expect(() => kafkaPublisher(producer, { topic: 'orders' })).toThrow(/is idempotent/);
  expect(() => kafkaPublisher({ ...producer, isIdempotent: () => false }, { topic: 'orders' })).not.toThrow();
});

it.each([
  { what: 'one try, all acknowledged', tries: [{ 0: ['a'], 1: ['b'] }], acknowledged: ['0', '1'], unsent: [] },
  { what: 'one partition is missing', tries: [{ 0: ['a'], 1: ['b'] }], acknowledged: ['0'], unsent: ['b'] },
  {
    what: 'several tries, the same shares',
    tries: [
      { 0: ['a'], 1: ['b'] },
      { 0: ['a'], 1: ['b'] },
    ],
    acknowledged: ['0', '1'],
    unsent: [],
  },
  {
    what: 'a message without a key has moved to a partition that had answered before',
    tries: [{ 0: ['a'], 1: ['b'] }, { 1: ['b', 'a'] }],
    acknowledged: ['1'],
    unsent: ['a'],
  },
  {
    what: 'one that moved away and came back',
    tries: [{ 0: ['a'] }, { 1: ['a'] }, { 0: ['a'] }],
    acknowledged: ['0'],
    unsent: ['a'],
  },
  { what: 'nothing was shared out', tries: [], acknowledged: [], unsent: [] },
])('$what', ({ tries: all, acknowledged, unsent }) => {
  const tries = new Tries();
  for (const shares of all) tries.note(shares);
  expect(tries.doubtful(new Set(acknowledged))).toEqual(unsent);
  expect(tries.isEmpty).toBe(all.length === 0);
});
