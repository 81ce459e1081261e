import { readFile } from 'node:fs/promises';

import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import { inboxDefaults, resolveInboxOptions, type InboxOptions } from '../../src/inbox-options.js';
import { Inbox } from '../../src/index.js';

const minute = 60_000;
const tenYears = 10 * 365 * 24 * 60 * minute;
const refusal = (named: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(named) as string }) as Error;

describe('the options of an inbox', () => {
  it('have their default and limits as they are documented', async () => {
    const source = await readFile(new URL('../../src/inbox-options.ts', import.meta.url), 'utf8');
    const [documented = ''] = /\/\*\*(?:(?!\*\/).)*\*\/\s*retentionMs\?:/s.exec(source) ?? [];
    expect(documented).toContain(`@defaultValue \`${inboxDefaults.retentionMs}\` (7 days)`);
    expect(documented).toContain(`60,000 (a minute) to ${tenYears.toLocaleString('en-US')} (ten years)`);
    expect(inboxDefaults.retentionMs).toBe(7 * 24 * 60 * minute);
    for (const retentionMs of [minute, tenYears])
      expect(resolveInboxOptions({ retentionMs })).toMatchObject({ retentionMs });
    for (const retentionMs of [
      minute - 1,
      tenYears + 1,
      minute + 0.5,
      NaN,
      Infinity,
      0,
      -minute,
      '60000',
      null,
      [minute],
    ])
      expect(() => resolveInboxOptions({ retentionMs } as InboxOptions)).toThrow(refusal('retentionMs'));
  });

  it('may be left out', () => {
    const resolved = { ...inboxDefaults, connection: mongoose.connection };
    expect(resolveInboxOptions()).toEqual(resolved);
    expect(resolveInboxOptions({ retentionMs: undefined, connection: undefined } as never)).toEqual(resolved);
    expect(resolveInboxOptions().connection).toBe(mongoose.connection);
    expect(Object.isFrozen(resolveInboxOptions())).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ['null', null, 'null'],
    ['an array', [], 'array'],
    ['an option of the outbox', { setup: 'check' }, 'setup'],
    ['an option of another case', { retentionMS: minute }, 'retentionMS'],
    ['a connection that is a string', { connection: 'mongodb://localhost' }, 'connection'],
    ['a connection that is null', { connection: null }, 'connection'],
    ['a connection that is mongoose itself', { connection: mongoose }, 'connection'],
  ])('are refused at construction: %s', (_what, options, named) => {
    expect(() => new Inbox('X', options as InboxOptions)).toThrow(refusal(named));
  });
});

it.each(['', '5x', 'a b', 'a..b', 'x.pending', 'x.inbox', 'system.x', 'a'.repeat(101), undefined, 5])(
  'an inbox of the name %j is refused',
  (name) => {
    expect(() => new Inbox(name as string)).toThrow(
      expect.objectContaining({
        code: 'INVALID_NAME',
        message: expect.stringContaining("an inbox's name must") as string,
      }) as Error,
    );
  },
);
