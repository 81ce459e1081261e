import { describe, expect, it } from 'vitest';

import { chooseCombinations, nameOf, versions } from '../../../scripts/compat/combination.js';
import { stepsFor } from '../../../scripts/compat/steps.js';

describe('the combinations', () => {
  it('have each version once', () => {
    const chosen = chooseCombinations({});
    for (const part of ['mongod', 'mongoose', 'node'] as const)
      expect(chosen.map((each) => each[part]).sort()).toEqual([...versions[part]].sort());
  });

  it('with --all are every one of them', () => {
    const names = chooseCombinations({ all: true }).map(nameOf);
    expect(names).toHaveLength(27);
    expect(new Set(names).size).toBe(27);
  });

  it('with --only are those that are named, of any versions', () => {
    expect(chooseCombinations({ all: true, only: ['7.0.14/9.1/22.4.0', '5.0.32/8/20'] })).toEqual([
      { mongod: '7.0.14', mongoose: '9.1', node: '22.4.0' },
      { mongod: '5.0.32', mongoose: '8', node: '20' },
    ]);
  });

  it.each(['', '6.0.5', '6.0.5/9', '6.0/9/22', '6.0.5/latest/22', '6.0.5/9/v22', '6.0.5/9/22/1'])(
    'are not named %o',
    (name) => {
      expect(() => chooseCombinations({ only: [name] })).toThrow(RangeError);
    },
  );
});

describe('what is run', () => {
  const on = (mongoose: string) => ({ mongod: '6.0.5', mongoose, node: '22' });
  const commands = (...given: Parameters<typeof stepsFor>) =>
    stepsFor(...given).map(({ command }) => command.join(' '));

  it('with mongoose 9 is everything', () => {
    const [types, build, tests] = commands(on('9'));
    expect([types, build]).toEqual(['npm run types', 'npm run build']);
    expect(tests).toMatch(/ vitest run .*json --project !brokers$/);
  });

  it('with mongoose 8 compiles the library by its own configuration, and no tests', () => {
    const [types, , tests] = commands(on('8.16.0'));
    expect(types).toContain('tsconfig.mongoose8.json');
    expect(tests).toMatch(/json --project unit --project integration --project package$/);
  });

  it('is only the tests that are asked for', () => {
    expect(commands(on('8'), { projects: ['unit'] })).toEqual([
      expect.stringMatching(/ vitest run .*json --project unit$/),
    ]);
    expect(commands(on('9'), { files: ['put/session'] })).toEqual([expect.stringMatching(/ put\/session$/)]);
  });
});
