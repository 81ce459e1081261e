import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

import { resolveConsumerOptions, type ConsumerKind } from '../../../src/consumer/consumer-options.js';
import type { DrainOptions } from '../../../src/handler.js';

const types = ['created', 'shipped'];
const refusal = (named: string, code = 'INVALID_OPTION') =>
  expect.objectContaining({ code, message: expect.stringContaining(named) as string }) as Error;
const resolve = (given: unknown = {}, kind: ConsumerKind = 'drain', publishes = false) =>
  resolveConsumerOptions(kind, publishes, given as DrainOptions, types);

describe('the documentation of the options', async () => {
  const source = await readFile(new URL('../../../src/handler.ts', import.meta.url), 'utf8');
  const documented = ['RetryOptions', 'RelayOptions', 'ConsumerOptions', 'DrainOptions'].flatMap((name) => {
    const declared = new RegExp(`export interface ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1] ?? '';
    return [...declared.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*(\w+)\?:/gs)].map(([, comment = '', option = '']) => ({
      option,
      comment: comment.replace(/\s+\*\s+/g, ' '),
      stated: /@defaultValue (.*?)\s*$/s.exec(comment)?.[1]?.trim() ?? '',
    }));
  });
  const statedOf = (option: string) => documented.find((entry) => entry.option === option)?.stated ?? '';

  it('has a comment for each option', () => {
    expect(documented.map(({ option }) => option).sort()).toEqual(
      [
        ...['maxAttempts', 'initialDelayMs', 'maxDelayMs', 'factor', 'jitter'],
        ...['from', 'types', 'order', 'batchSize', 'retry', 'onDeadLetter', 'signal'],
        ...['concurrency', 'handlerTimeoutMs', 'transactional'],
        ...['maxMessages', 'deadlineMs', 'ifHeld'],
      ].sort(),
    );
  });

  it.each(['from', 'order', 'onDeadLetter', 'concurrency', 'handlerTimeoutMs', 'transactional', 'ifHeld'] as const)(
    'states the default of %s as it is',
    (option) => {
      expect(statedOf(option)).toBe(`\`${JSON.stringify(resolve()[option])}\``);
    },
  );

  it.each(['maxAttempts', 'initialDelayMs', 'maxDelayMs', 'factor', 'jitter'] as const)(
    'states the default of retry.%s as it is',
    (option) => {
      expect(statedOf(option)).toBe(`\`${resolve().retry[option]}\``);
    },
  );

  it('states the default of batchSize, which is another for handlers and publishers', () => {
    expect(statedOf('batchSize')).toContain(`\`${resolve().batchSize}\` for \`consume\``);
    expect(statedOf('batchSize')).toContain(`\`${resolve({}, 'relay', true).batchSize}\` for \`relay\``);
  });

  it.each([
    ['concurrency', '1 to 1,000', 1, 1_000],
    ['batchSize', '1 to 10,000', 1, 10_000],
    ['handlerTimeoutMs', '1 to 86,400,000', 1, 86_400_000],
    ['deadlineMs', '1 to 2,147,483,647', 1, 2_147_483_647],
  ] as const)('states the limits of %s, which are kept', (option, limits, least, most) => {
    expect(documented.find((entry) => entry.option === option)?.comment).toContain(limits);
    for (const value of [least, most]) expect(resolve({ [option]: value })[option]).toBe(value);
    for (const value of [least - 1, most + 1, least + 0.5, Number.NaN, String(least), null])
      expect(() => resolve({ [option]: value })).toThrow(refusal(option));
  });

  it.each([
    ['maxAttempts', '1 to 1,000', 1, 1_000],
    ['initialDelayMs', '1 to 86,400,000', 1, 86_400_000],
    ['maxDelayMs', 'to 604,800,000', 1, 604_800_000],
    ['factor', '1 to 100', 1, 100],
    ['jitter', '0 to 1', 0, 1],
  ] as const)('states the limits of retry.%s, which are kept', (option, limits, least, most) => {
    expect(documented.find((entry) => entry.option === option)?.comment).toContain(limits);
    const beside = option === 'maxDelayMs' ? { initialDelayMs: 1 } : {};
    for (const value of [least, most])
      expect(resolve({ retry: { ...beside, [option]: value } }).retry[option]).toBe(value);
    for (const value of [least - 1, most + 1, Number.NaN, String(least), null])
      expect(() => resolve({ retry: { ...beside, [option]: value } })).toThrow(refusal(`retry.${option}`));
  });
});

describe('fills in', () => {
  it('every default', () => {
    expect(resolve()).toEqual({
      from: 'beginning',
      types: undefined,
      order: 'key',
      concurrency: 1,
      batchSize: 100,
      handlerTimeoutMs: 30_000,
      transactional: false,
      retry: { maxAttempts: 10, initialDelayMs: 1_000, maxDelayMs: 300_000, factor: 2, jitter: 0.5 },
      onDeadLetter: 'continue',
      signal: undefined,
      maxMessages: undefined,
      deadlineMs: undefined,
      ifHeld: 'return',
    });
  });

  it('the default for what is undefined', () => {
    const names = Object.keys(resolve());
    expect(resolve(Object.fromEntries(names.map((name) => [name, undefined])))).toEqual(resolve());
    expect(resolve({ retry: { maxAttempts: undefined, factor: 3 } }).retry).toEqual({ ...resolve().retry, factor: 3 });
  });

  it('a longest delay as long as the first, where that is longer than the default', () => {
    expect(resolve({ retry: { initialDelayMs: 400_000 } }).retry.maxDelayMs).toBe(400_000);
  });
});

describe('takes', () => {
  it.each<[kind: ConsumerKind, publishes: boolean, options: object]>([
    ['consume', false, { concurrency: 16, handlerTimeoutMs: 5, order: 'key', types: ['created'] }],
    ['consume', false, { concurrency: 1, transactional: true, order: 'strict', onDeadLetter: 'block' }],
    ['consume', false, { concurrency: 1, order: 'strict' }],
    ['relay', true, { batchSize: 1_000, order: 'strict', from: 5, signal: new AbortController().signal }],
    ['drain', false, { concurrency: 16, maxMessages: 5, deadlineMs: 100, ifHeld: 'wait' }],
    ['drain', true, { batchSize: 5, maxMessages: 5, deadlineMs: 100, ifHeld: 'wait' }],
  ])('for %s (publishes: %s) %o', (kind, publishes, options) => {
    const { types: named, ...resolved } = resolve(options, kind, publishes);
    expect({ ...resolved, types: named && [...named] }).toMatchObject(options);
  });
});

describe('refuses', () => {
  it.each<[what: string, kind: ConsumerKind, publishes: boolean, options: unknown, named: string]>([
    ['no object', 'consume', false, null, 'the options'],
    ['an unknown option', 'consume', false, { parallel: 5 }, 'parallel'],
    ['what only drain takes', 'consume', false, { deadlineMs: 5 }, 'deadlineMs'],
    ['what only drain takes', 'relay', true, { maxMessages: 5 }, 'maxMessages'],
    ['what only handlers take', 'relay', true, { concurrency: 1 }, 'concurrency'],
    ['what only handlers take', 'relay', true, { transactional: false }, 'transactional'],
    ['what only handlers take', 'relay', true, { handlerTimeoutMs: 5 }, 'handlerTimeoutMs'],
    ['what only handlers take', 'drain', true, { concurrency: 1 }, 'concurrency'],
    ['concurrency in transactions', 'consume', false, { transactional: true, concurrency: 2 }, 'concurrency'],
    ['concurrency in a strict order', 'consume', false, { order: 'strict', concurrency: 2 }, 'concurrency'],
    ['another order', 'consume', false, { order: 'none' }, 'order'],
    ['another onDeadLetter', 'consume', false, { onDeadLetter: 'stop' }, 'onDeadLetter'],
    ['another ifHeld', 'drain', false, { ifHeld: 'fail' }, 'ifHeld'],
    ['transactional that is no boolean', 'consume', false, { transactional: 1 }, 'transactional'],
    ['no signal', 'consume', false, { signal: {} }, 'signal'],
    ['no types', 'consume', false, { types: [] }, 'types'],
    ['retry that is null', 'consume', false, { retry: null }, 'retry'],
    ['an unknown option of retry', 'consume', false, { retry: { attempts: 5 } }, 'retry.attempts'],
    [
      'a longest delay below the first',
      'consume',
      false,
      { retry: { initialDelayMs: 5, maxDelayMs: 4 } },
      'maxDelayMs',
    ],
    ["a longest delay below the first's default", 'consume', false, { retry: { maxDelayMs: 999 } }, 'maxDelayMs'],
    ['maxMessages of none', 'drain', false, { maxMessages: 0 }, 'maxMessages'],
    ['a deadline of none', 'drain', false, { deadlineMs: 0 }, 'deadlineMs'],
  ])('%s for %s (publishes: %s) %o', (_what, kind, publishes, options, named) => {
    expect(() => resolve(options, kind, publishes)).toThrow(refusal(named));
  });

  it.each([new Date(Number.NaN), -1, 0.5, 'start', '2020-01-01'])('the cursor %o', (from) => {
    expect(() => resolve({ from })).toThrow(refusal('', 'INVALID_CURSOR'));
  });

  it('a type that is not declared', () => {
    expect(() => resolve({ types: ['lost'] })).toThrow(refusal('"lost"', 'UNKNOWN_TYPE'));
  });

  it('a cursor that is null, as that of a stored one that was not found', () => {
    expect(() => resolve({ from: null })).toThrow(refusal('', 'INVALID_CURSOR'));
  });
});
