import { expect, it } from 'vitest';

import { Unavailable, type Delivered, type OutboxMessage } from '../../../src/index.js';
import { nextWave, publishInWaves, type Prepared } from '../../../src/publishers/publish-in-waves.js';

type Message = Delivered<OutboxMessage>;

function messages(...keys: (string | undefined)[]): Message[] {
  return keys.map((key, index) => ({
    type: 'a',
    data: {},
    id: `id-${index + 1}`,
    position: index + 1,
    created: new Date(0),
    headers: {},
    ...(key === undefined ? {} : { key }),
  }));
}

const signal = new AbortController().signal;
const positions = (wave: readonly { message: Message }[]) => wave.map(({ message }) => message.position);
const prepare = ({ position }: Message) => position;

/** Sends waves, refuses the messages at `refused`, and rejects the waves that hold one at `down`. */
function sender(refused: Record<number, unknown> = {}, down: number[] = []) {
  const sent: number[][] = [];
  const send = (wave: readonly Prepared<OutboxMessage, number>[]) => {
    sent.push(positions(wave));
    if (wave.some(({ record }) => down.includes(record))) return Promise.reject(new Error('ECONNREFUSED'));
    return Promise.resolve(
      new Map(wave.filter(({ record }) => record in refused).map((each) => [each.message, refused[each.record]])),
    );
  };
  return { sent, send };
}

it.each<[string, (string | undefined)[], number, number[], number[]]>([
  ['different keys go together', ['a', 'b', 'c'], Infinity, [1, 2, 3], []],
  ['of a key the first goes alone', ['a', 'a', 'b', 'a'], Infinity, [1, 3], [2, 4]],
  ['messages without a key are their own', [undefined, undefined, 'a'], Infinity, [1, 2, 3], []],
  ['no more than the limit', ['a', 'b', 'c', 'd'], 2, [1, 2], [3, 4]],
  ['what the limit left does not let a later one of its key pass', ['a', 'b', 'b'], 1, [1], [2, 3]],
  ['the empty key is a key', ['', ''], Infinity, [1], [2]],
])('a wave: %s', (_name, keys, most, wave, later) => {
  const next = nextWave(
    messages(...keys).map((message) => ({ message })),
    most,
  );
  expect([positions(next.wave), positions(next.later)]).toEqual([wave, later]);
});

it('sends waves one after another until everything is acknowledged', async () => {
  const { sent, send } = sender();
  expect(await publishInWaves(messages('a', 'b', 'a', 'a'), { signal }, { prepare, send })).toEqual({ failed: [] });
  expect(sent).toEqual([[1, 2], [3], [4]]);
});

it('does not send what comes behind a refused message in its key', async () => {
  const error = new Error('no');
  const { sent, send } = sender({ 2: error });
  const { failed } = await publishInWaves(messages('a', 'b', 'b', 'a'), { signal }, { prepare, send });
  expect(failed).toEqual([{ position: 2, error }]);
  expect(sent).toEqual([[1, 2], [4]]);
});

it('a message for which there is nothing to send fails by itself, and holds its key', async () => {
  const { sent, send } = sender();
  const error = new Error('no subject');
  const { failed } = await publishInWaves(
    messages('a', 'a', 'b'),
    { signal },
    {
      send,
      prepare: ({ position }) => {
        if (position === 1) throw error;
        return position;
      },
    },
  );
  expect(failed).toEqual([{ position: 1, error }]);
  expect(sent).toEqual([[3]]);
});

it('rejects as the destination does while nothing was acknowledged', async () => {
  const { send } = sender({}, [1]);
  await expect(publishInWaves(messages('a', 'a'), { signal }, { prepare, send })).rejects.toThrow('ECONNREFUSED');
});

it('after an acknowledgement, what is left waits for the destination', async () => {
  const { sent, send } = sender({}, [2]);
  const { failed } = await publishInWaves(messages('a', 'a', 'a', 'b'), { signal }, { prepare, send });
  expect(failed.map(({ position }) => position)).toEqual([2, 3]);
  expect(failed.every(({ error }) => error instanceof Unavailable)).toBe(true);
  expect(sent).toEqual([[1, 4], [2]]);
});

it('nothing more is sent once a message waits for the destination', async () => {
  const down = new Unavailable('the queue is full');
  const { sent, send } = sender({ 2: down });
  const { failed } = await publishInWaves(messages('a', 'b', 'a', 'c', 'b'), { signal }, { prepare, send });
  expect(sent).toEqual([[1, 2, 4]]);
  expect(failed).toEqual([
    { position: 2, error: down },
    { position: 3, error: down },
  ]);
});

it('rejects where every message of the first wave waits, and tells what was refused by itself beside', async () => {
  const down = new Unavailable('the queue is full');
  const own = new Error('no');
  const all = sender({ 1: down, 2: down });
  await expect(publishInWaves(messages('a', 'b', 'a'), { signal }, { prepare, send: all.send })).rejects.toBe(down);
  expect(all.sent).toEqual([[1, 2]]);
  const { failed } = await publishInWaves(
    messages('a', 'b', 'a'),
    { signal },
    { prepare, send: sender({ 1: down, 2: own }).send },
  );
  expect(failed.map(({ position, error }) => [position, error])).toEqual([
    [1, down],
    [2, own],
  ]);
});

it('sends nothing once the signal has aborted, also between two waves', async () => {
  const abort = new AbortController();
  const sent: number[][] = [];
  const send = (wave: readonly Prepared<OutboxMessage, number>[]) => {
    sent.push(positions(wave));
    abort.abort();
    return Promise.resolve(new Map<Message, unknown>());
  };
  const { failed } = await publishInWaves(messages('a', 'a'), { signal: abort.signal }, { prepare, send });
  expect(failed.map(({ position }) => position)).toEqual([2]);
  await expect(publishInWaves(messages('a'), { signal: abort.signal }, { prepare, send })).rejects.toThrow(/abort/);
  expect(sent).toEqual([[1]]);
});
