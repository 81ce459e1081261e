import { readFile } from 'node:fs/promises';

import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import { ServiceOutbox } from '../../src/index.js';
import { defaults, resolveOptions, type ServiceOutboxOptions } from '../../src/options.js';

const MiB = 1024 * 1024;
const refusal = (named: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(named) as string }) as Error;

describe('the documentation of the options', async () => {
  const source = await readFile(new URL('../../src/options.ts', import.meta.url), 'utf8');
  const declared = /export interface ServiceOutboxOptions \{\n(.*?)\n\}/s.exec(source)?.[1] ?? '';
  const documented = [...declared.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*(\w+)\?:/gs)].map(
    ([, comment = '', name = '']) => ({
      name,
      comment,
      stated: /@defaultValue (.*?)\s*(?:\*\/|\n|$)/.exec(comment)?.[1]?.trim() ?? '',
    }),
  );

  it('has a comment with a default for each option', () => {
    const names = [...declared.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(documented.map(({ name }) => name)).toEqual(names);
    for (const { name, stated } of documented) expect(stated, name).not.toBe('');
  });

  it.each(Object.entries(defaults))('states the default of %s as it is', (name, value) => {
    const stated = documented.find((option) => option.name === name)?.stated ?? '';
    expect(/^`([^`]*)`/.exec(stated)?.[1]).toBe(typeof value === 'string' ? JSON.stringify(value) : String(value));
  });

  it.each(documented.filter(({ name }) => !Object.hasOwn(defaults, name)))(
    'states no figure as the default of $name, which has none',
    ({ stated }) => {
      expect(stated).not.toMatch(/^`?(\d|true|false|")/);
    },
  );

  it.each([
    ['sizeBytes', 'At least 1 MiB', MiB, 2 ** 50],
    ['maxMessages', '100 to 2,147,483,646', 100, 2_147_483_646],
    ['leaseMs', '100 to 600,000', 100, 600_000],
    ['closeTimeoutMs', '0 to 600,000', 0, 600_000],
    ['appendBatchSize', '1 to 1,000', 1, 1_000],
    ['pollMinMs', '1 to 60,000', 1, 60_000],
    ['pollMaxMs', 'to 60,000', 1, 60_000],
    ['safetyPollMs', '100 to 600,000', 100, 600_000],
  ] as const)('states the limits of %s, which are kept', (name, limits, least, most) => {
    expect(documented.find((option) => option.name === name)?.comment.replace(/\s+\*\s+/g, ' ')).toContain(limits);
    const polls = name === 'pollMinMs' ? { pollMaxMs: 60_000 } : name === 'pollMaxMs' ? { pollMinMs: 1 } : {};
    for (const value of [least, most]) expect(resolveOptions({ ...polls, [name]: value })[name]).toBe(value);
    for (const value of [
      least - 1,
      most + 1,
      least + 0.5,
      Number.NaN,
      Infinity,
      String(least),
      null,
      [least],
      BigInt(least),
    ])
      expect(() => resolveOptions({ ...polls, [name]: value })).toThrow(refusal(name));
  });
});

describe('refuses with INVALID_OPTION', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'null'],
    ['a string', 'check', '"check"'],
    ['an array', [], 'array'],
    ['an unknown option', { size: MiB }, 'size'],
    ['an unknown option whose value is undefined', { size: undefined }, 'size'],
    ['an option of another case', { leasems: 5_000 }, 'leasems'],
    ['sequencer that is no boolean', { sequencer: 'no' }, 'sequencer'],
    ['sequencer that is null', { sequencer: null }, 'sequencer'],
    ['another setup', { setup: 'auto' }, 'setup'],
    ['currentSession that is no function', { currentSession: {} }, 'currentSession'],
    ['a connection that is a string', { connection: 'mongodb://localhost' }, 'connection'],
    ['a connection that is null', { connection: null }, 'connection'],
    [
      'a connection that is a client of the driver',
      { connection: new mongoose.mongo.MongoClient('mongodb://localhost') },
      'connection',
    ],
    ['a connection that is mongoose itself', { connection: mongoose }, 'connection'],
    ['a pollMaxMs below pollMinMs', { pollMinMs: 100, pollMaxMs: 99 }, 'pollMaxMs'],
    ["a pollMaxMs below pollMinMs's default", { pollMaxMs: defaults.pollMinMs - 1 }, 'pollMaxMs'],
    ["a pollMinMs above pollMaxMs's default", { pollMinMs: defaults.pollMaxMs + 1 }, 'pollMaxMs'],
  ])('%s', (_what, options, named) => {
    expect(() => resolveOptions(options as ServiceOutboxOptions)).toThrow(refusal(named));
  });

  it('at construction, and leaves the name free', () => {
    const connection = mongoose.createConnection();
    const schemas = { t: { data: {} } };
    expect(() => ServiceOutbox.define('X', schemas, { connection, leaseMs: 5 })).toThrow(refusal('leaseMs'));
    expect(() => ServiceOutbox.define('X', schemas, { connection })).not.toThrow();
  });

  it('without showing a connection string', () => {
    const secret = 'mongodb://user:secret@host/';
    expect(() => resolveOptions({ connection: new mongoose.mongo.MongoClient(secret) as never })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') as string }) as Error,
    );
  });
});

describe('fills in', () => {
  it('every default, and mongoose.connection', () => {
    expect(resolveOptions()).toEqual({ ...defaults, connection: mongoose.connection });
    expect(resolveOptions().connection).toBe(mongoose.connection);
  });

  it('the default for an option that is undefined', () => {
    const undefinedOptions = Object.fromEntries(
      [...Object.keys(defaults), 'connection', 'maxMessages'].map((name) => [name, undefined]),
    );
    expect(resolveOptions(undefinedOptions as ServiceOutboxOptions)).toEqual({
      ...defaults,
      connection: mongoose.connection,
    });
  });

  it('and freezes the result, which is not the object given', () => {
    const given = { leaseMs: 500 };
    const resolved = resolveOptions(given);
    given.leaseMs = 600;
    expect(resolved.leaseMs).toBe(500);
    expect(Object.isFrozen(resolved)).toBe(true);
  });
});
