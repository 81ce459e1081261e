import { expect, it } from 'vitest';

import { PermanentError, Unavailable, type PublishResult } from '../../../../src/index.js';
import type { AwsFailure } from '../../../../src/publishers/aws/aws-verdict.js';
import { publishEntries } from '../../../../src/publishers/aws/publish-entries.js';
import { delivered } from '../../../support/delivered.js';
import { doneOf } from '../../../support/done-of.js';

const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
const batch = (count: number, changes: Parameters<typeof delivered>[0] = {}) =>
  Array.from({ length: count }, (_, index) => delivered({ id: `id-${index + 1}`, position: index + 1, ...changes }));
const awsError = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error(`the text of ${name}`), {
    name,
    $metadata: { httpStatusCode, requestId: 'r' },
    $response: { headers: { authorization: 'secret' } },
  });

type Send = (positions: readonly number[]) => Record<number, AwsFailure> | Error;

/** Publishes with a service whose entries are positions; `send` answers by position. */
async function publish(
  messages: ReturnType<typeof batch>,
  send: Send,
  more: { isPerMessage?: boolean; concurrency?: number } = {},
) {
  const requests: number[][] = [];
  const result = publishEntries(messages, context, {
    ...{
      name: 'SQS',
      permission: 'sqs:SendMessage',
      isPerMessage: false,
      mostBytes: 1_000,
      concurrency: 1,
      timeoutMs: 1_000,
    },
    ...more,
    prepare: ({ position }) => ({ destination: 'q', bytes: position === 999 ? 1_001 : 1, entry: position }),
    send: async (_, entries) => {
      requests.push([...entries]);
      const answer = send(entries);
      if (answer instanceof Error) throw answer;
      return new Map(Object.entries(answer).map(([position, failure]) => [entries.indexOf(Number(position)), failure]));
    },
  });
  return { result: await result, requests };
}
const shown = ({ failed }: PublishResult) => failed.map(({ position, error }) => [position, (error as Error).name]);

it('sends ten at a time, and one of each key', async () => {
  expect((await publish(batch(25), () => ({}))).requests.map(({ length }) => length)).toEqual([10, 10, 5]);
  expect((await publish(batch(3, { key: 'a' }), () => ({}))).requests).toEqual([[1], [2], [3]]);
});

it('what is too large fails alone, without a request', async () => {
  const { result, requests } = await publish([...batch(2), delivered({ position: 999 })], () => ({}));
  expect(shown(result)).toEqual([[999, 'PermanentError']]);
  expect(requests).toEqual([[1, 2]]);
});

it('takes failures of entries by who is to blame', async () => {
  const { result } = await publish(batch(4), () => ({
    1: { name: 'InvalidMessageContents', senderFault: true },
    2: { name: 'InternalError', senderFault: false },
    3: { name: 'SomethingNew', senderFault: true },
  }));
  expect(shown(result)).toEqual([
    [1, 'PermanentError'],
    [2, 'Unavailable'],
    [3, 'Error'],
  ]);
});

it('rejects when every entry says that the service is to blame, and when the request does', async () => {
  const throttled = { name: 'ThrottlingException' };
  await expect(publish(batch(2), () => ({ 1: throttled, 2: throttled }))).rejects.toThrow(
    /^SQS can not take messages: Throttling/,
  );
  await expect(publish(batch(2), () => awsError('AccessDenied', 403))).rejects.toThrow(
    /AccessDenied; allow sqs:SendMessage$/,
  );
  await expect(publish(batch(2), () => awsError('QueueDoesNotExist', 400))).rejects.toThrow(
    /create it, or mend the option/,
  );
  for (const name of ['AccessDenied', 'QueueDoesNotExist'])
    await expect(publish(batch(1), () => awsError(name, 400))).rejects.toBeInstanceOf(Unavailable);
});

it('rejects with what says nothing of single messages when nobody knows who is to blame', async () => {
  const error: unknown = await publish(batch(2), () => awsError('SomethingNew', 400)).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(Unavailable);
  expect(error).not.toBeInstanceOf(PermanentError);
});

it('keeps nothing of the request in its errors', async () => {
  const error = (await publish(batch(1), () => awsError('AccessDenied', 403)).catch(
    (thrown: unknown) => thrown,
  )) as Error;
  expect(error.cause).toMatchObject({ name: 'AccessDenied', message: 'the text of AccessDenied', requestId: 'r' });
  expect(error.cause).not.toHaveProperty('$response');
});

it('a missing destination that was chosen for each message is a failure of its messages', async () => {
  const { result } = await publish(batch(2), () => awsError('QueueDoesNotExist', 400), { isPerMessage: true });
  expect(shown(result)).toEqual([
    [1, 'PermanentError'],
    [2, 'PermanentError'],
  ]);
});

it.each(['BatchRequestTooLong', 'InvalidMessageContents'])('halves a request that is refused with %s', async (name) => {
  const { result, requests } = await publish(batch(10), (positions) =>
    positions.includes(7) ? awsError(name, 400) : {},
  );
  expect(shown(result)).toEqual([[7, 'PermanentError']]);
  expect(requests.flat().filter((position) => position !== 7)).toEqual(
    expect.arrayContaining([1, 2, 3, 4, 5, 6, 8, 9, 10]),
  );
  const taken = requests.filter((positions) => !positions.includes(7)).flat();
  expect([...taken].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 10]);
});

it('keeps what was taken before the service went down, and sends no more', async () => {
  const messages = batch(45).map((each) => ({ ...each, key: `key ${each.position % 20}` }));
  const taken: number[] = [];
  const { result, requests } = await publish(messages, (positions) => {
    if (taken.length >= 10) return awsError('ECONNRESET');
    taken.push(...positions);
    return {};
  });
  expect(requests.length).toBe(2);
  expect(doneOf(messages, result)).toEqual(taken);
  expect(result.failed.every(({ error }) => error instanceof Unavailable)).toBe(true);
});
