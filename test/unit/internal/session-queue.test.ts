import { describe, expect, it } from 'vitest';

import { inTurn } from '../../../src/internal/session-queue.js';
import { flush } from '../../support/settled.js';

/** Tasks that the test ends, and what happened in which order. */
function tasks() {
  const log: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const task = (name: string) => async () => {
    log.push(`${name} begins`);
    await new Promise<void>((resolve, reject) =>
      ends.set(name, (error) => (error === undefined ? resolve() : reject(error))),
    );
    log.push(`${name} ends`);
    return name;
  };
  const end = (name: string, error?: Error) => {
    ends.get(name)?.(error);
    return flush();
  };
  return { log, task, end };
}

describe('tasks of one session', () => {
  it('run one after another, in the order in which they were started', async () => {
    const { log, task, end } = tasks();
    const session = {};
    const results = Promise.all(['a', 'b', 'c'].map((name) => inTurn(session, task(name))));
    await flush();
    expect(log).toEqual(['a begins']);
    await end('a');
    await end('b');
    await end('c');
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(await results).toEqual(['a', 'b', 'c']);
  });

  it('go on after one that fails, and only that one rejects', async () => {
    const { log, task, end } = tasks();
    const session = {};
    const results = Promise.allSettled([inTurn(session, task('a')), inTurn(session, task('b'))]);
    await end('a', new Error('failed'));
    await end('b');
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(log).toEqual(['a begins', 'b begins', 'b ends']);
  });

  it('keep their order when one is started while the last is ending', async () => {
    const { log, task, end } = tasks();
    const session = {};
    const first = inTurn(session, task('a'));
    const second = first.then(() => inTurn(session, task('b')));
    const third = first.then(() => inTurn(session, task('c')));
    await end('a');
    expect(log).toEqual(['a begins', 'a ends', 'b begins']);
    await end('b');
    await end('c');
    await Promise.all([second, third]);
    expect(log.slice(-2)).toEqual(['c begins', 'c ends']);
  });
});

it('the first task of an idle session begins at once, also after others have ended', async () => {
  const { log, task, end } = tasks();
  const session = {};
  void inTurn(session, task('a'));
  expect(log).toEqual(['a begins']);
  await end('a');
  void inTurn(session, task('b'));
  expect(log.at(-1)).toBe('b begins');
  await end('b');
});

it('sessions do not wait for each other', async () => {
  const { log, task, end } = tasks();
  void inTurn({}, task('a'));
  void inTurn({}, task('b'));
  expect(log).toEqual(['a begins', 'b begins']);
  await end('a');
  await end('b');
});
