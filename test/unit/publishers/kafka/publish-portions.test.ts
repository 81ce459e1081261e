import { expect, it } from 'vitest';

import { PermanentError, Unavailable, type Delivered, type OutboxMessage } from '../../../../src/index.js';
import type { KafkaRecord } from '../../../../src/publishers/kafka/kafka-record.js';
import { publishPortions } from '../../../../src/publishers/kafka/publish-portions.js';

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

/** A broker that refuses requests with one of these in it, and is down from a request on. */
function broker(refused: number[], downFrom = Infinity) {
  const stored: number[] = [];
  let requests = 0;
  const send = (records: readonly KafkaRecord[]): Promise<void> => {
    requests += 1;
    if (requests > downFrom) return Promise.reject(down);
    const positions = records.map(({ value }) => Number(value));
    if (positions.some((position) => refused.includes(position))) return Promise.reject(tooLarge);
    stored.push(...positions);
    return Promise.resolve();
  };
  const toRecord = ({ position }: Message): KafkaRecord => ({
    ...{ topic: 'orders', key: null, headers: {} },
    value: String(position),
  });
  return { stored, requests: () => requests, sending: { toRecord, send, maxRequestBytes: 1e6 } };
}

it('a batch is one request', async () => {
  const { stored, requests, sending } = broker([]);
  expect(await publishPortions(messages('a', 'b', 'a'), signal, sending)).toEqual({ failed: [] });
  expect([stored, requests()]).toEqual([[1, 2, 3], 1]);
});

it('a refused record is found, and only what is behind it in its key is left out', async () => {
  const { stored, sending } = broker([3]);
  const { failed } = await publishPortions(messages('a', 'b', 'a', 'a', 'b', 'c', 'a', 'b'), signal, sending);
  expect(failed.map(({ position }) => position)).toEqual([3]);
  expect(failed[0]!.error).toBeInstanceOf(PermanentError);
  expect((failed[0]!.error as Error).cause).toBe(tooLarge);
  expect(stored).toEqual([1, 2, 5, 6, 8]);
});

it('several are found', async () => {
  const { stored, sending } = broker([1, 4]);
  const { failed } = await publishPortions(messages('a', 'b', 'c', 'd', 'e'), signal, sending);
  expect(failed.map(({ position }) => position)).toEqual([1, 4]);
  expect(stored).toEqual([2, 3, 5]);
});

it('a broker that is down is no failure of any message', async () => {
  const { sending } = broker([], 0);
  const error: unknown = await publishPortions(messages('a', 'b'), signal, sending).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Unavailable);
  expect((error as Error).cause).toBe(down);
});

it('when it goes down in the middle, the rest waits, and what was found is told', async () => {
  const { stored, sending } = broker([4], 4);
  const { failed } = await publishPortions(messages('a', 'b', 'c', 'd', 'e', 'f'), signal, sending);
  expect(stored).toEqual([1, 2, 3]);
  expect(failed.map(({ position }) => position)).toEqual([4, 5, 6]);
  expect(failed.every(({ error }) => error instanceof Unavailable)).toBe(true);
});

it('a topic that is missing is named, with what to do', async () => {
  const { sending } = broker([]);
  const missing = Object.assign(new Error('This server does not host this topic-partition'), { code: 3 });
  const send = () => Promise.reject(missing);
  await expect(publishPortions(messages('a'), signal, { ...sending, send })).rejects.toThrow(
    /topics orders: create it/,
  );
});

it('an error that nobody knows is passed on as it is: the relay finds out whose it is', async () => {
  const { sending } = broker([]);
  const odd = new TypeError('value.length');
  await expect(publishPortions(messages('a'), signal, { ...sending, send: () => Promise.reject(odd) })).rejects.toBe(
    odd,
  );
});
