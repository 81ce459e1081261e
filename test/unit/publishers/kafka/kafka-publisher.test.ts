import { expect, it } from 'vitest';

import {
  PermanentError,
  Unavailable,
  type Delivered,
  type OutboxMessage,
  type PublishResult,
} from '../../../../src/index.js';
import { kafkaPublisher, type KafkaJsProducer } from '../../../../src/kafka.js';
import { shareOut } from '../../../support/kafkajs-shares.js';

type Message = Delivered<OutboxMessage>;

function messages(...keys: string[]): Message[] {
  return keys.map((key, index) => ({
    ...{ type: 'a', data: {}, id: `id-${index + 1}`, position: index + 1, created: new Date(0), headers: {} },
    key,
  }));
}

const tooLarge = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
const down = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const signal = new AbortController().signal;

type Send = KafkaJsProducer['sendBatch'];

/** A producer whose broker refuses requests with one of these in it, and is down from a request on. */
function producerOf(refused: number[], downFrom = Infinity) {
  const stored: number[] = [];
  let requests = 0;
  const sendBatch: Send = (batch) => {
    const { topicMessages } = batch;
    requests += 1;
    if (requests > downFrom) return Promise.reject(down);
    const positions = topicMessages.flatMap((each) => each.messages).map(({ value }) => Number(value));
    if (positions.some((position) => refused.includes(position))) return Promise.reject(tooLarge);
    stored.push(...positions);
    return Promise.resolve(shareOut(batch));
  };
  return { stored, requests: () => requests, sendBatch };
}

async function publish(batch: readonly Message[], sendBatch: Send): Promise<PublishResult> {
  const value = ({ position }: Message) => String(position);
  const publisher = kafkaPublisher<OutboxMessage>({ sendBatch }, { topic: 'orders', value });
  return (await publisher.publish(batch, { signal, consumer: 'relay', epoch: 1 })) ?? { failed: [] };
}

it('a batch is one request', async () => {
  const { stored, requests, sendBatch } = producerOf([]);
  expect(await publish(messages('a', 'b', 'a'), sendBatch)).toEqual({ failed: [] });
  expect([stored, requests()]).toEqual([[1, 2, 3], 1]);
});

it('a refused record is found, and only what is behind it in its key is left out', async () => {
  const { stored, sendBatch } = producerOf([3]);
  const { failed } = await publish(messages('a', 'b', 'a', 'a', 'b', 'c', 'a', 'b'), sendBatch);
  expect(failed.map(({ position }) => position)).toEqual([3]);
  expect(failed[0]!.error).toBeInstanceOf(PermanentError);
  expect((failed[0]!.error as Error).cause).toBe(tooLarge);
  expect(stored).toEqual([1, 2, 5, 6, 8]);
});

it('several are found', async () => {
  const { stored, sendBatch } = producerOf([1, 4]);
  const { failed } = await publish(messages('a', 'b', 'c', 'd', 'e'), sendBatch);
  expect(failed.map(({ position }) => position)).toEqual([1, 4]);
  expect(stored).toEqual([2, 3, 5]);
});

it('a broker that is down is no failure of any message', async () => {
  const { sendBatch } = producerOf([], 0);
  const error: unknown = await publish(messages('a', 'b'), sendBatch).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Unavailable);
  expect((error as Error).cause).toBe(down);
});

it('when it goes down in the middle, the rest waits, and what was found is told', async () => {
  const { stored, sendBatch } = producerOf([4], 4);
  const { failed } = await publish(messages('a', 'b', 'c', 'd', 'e', 'f'), sendBatch);
  expect(stored).toEqual([1, 2, 3]);
  expect(failed.map(({ position }) => position)).toEqual([4, 5, 6]);
  expect(failed.every(({ error }) => error instanceof Unavailable)).toBe(true);
});

it('a topic that is missing is named, with what to do', async () => {
  const missing = Object.assign(new Error('This server does not host this topic-partition'), { code: 3 });
  await expect(publish(messages('a'), () => Promise.reject(missing))).rejects.toThrow(/topics orders: create it/);
});

it('an error that nobody knows is passed on as it is: the relay finds out whose it is', async () => {
  const odd = new TypeError('value.length');
  await expect(publish(messages('a'), () => Promise.reject(odd))).rejects.toBe(odd);
});
