import mongoose, { type ClientSession } from 'mongoose';
import { describe, expectTypeOf, it } from 'vitest';

import { Inbox, type Delivered, type InboxOptions } from '../../src/index.js';

// Described, not made: these files are compiled, and do not run.
declare const inbox: Inbox;
declare const session: ClientSession;
declare const message: Delivered<{ type: 'a'; data: { n: number } }>;

describe('an inbox', () => {
  it('has a name, and options known by name and type', () => {
    expectTypeOf(new Inbox('X').name).toEqualTypeOf<string>();
    expectTypeOf(new Inbox('X', { connection: mongoose.connection, retentionMs: 60_000 }).init()).toEqualTypeOf<
      Promise<void>
    >();
    expectTypeOf<InboxOptions['retentionMs']>().toEqualTypeOf<number | undefined>();
    // @ts-expect-error no name
    new Inbox();
    // @ts-expect-error unknown
    new Inbox('X', { ttlMs: 5 });
    // @ts-expect-error another type
    new Inbox('X', { retentionMs: '7d' });
    // @ts-expect-error a URI is no connection
    new Inbox('X', { connection: 'mongodb://localhost' });
    // @ts-expect-error readonly
    inbox.name = 'other';
  });

  it('gives what the work returns, or undefined', async () => {
    expectTypeOf(inbox.once('m', session, async () => 5)).toEqualTypeOf<Promise<number | undefined>>();
    expectTypeOf(inbox.once('m', session, async () => undefined)).toEqualTypeOf<Promise<undefined>>();
    expectTypeOf(inbox.handle(message, session, async () => 'x')).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(inbox.handle({ id: 'm' }, session, async () => 5)).toEqualTypeOf<Promise<number | undefined>>();
    await mongoose.connection.transaction((own) => inbox.handle(message, own, async () => undefined));
  });

  it('takes nothing else', () => {
    // @ts-expect-error no session
    void inbox.once('m', undefined, async () => 5);
    // @ts-expect-error null, which only put takes
    void inbox.once('m', null, async () => 5);
    // @ts-expect-error an id that is no string
    void inbox.once(5, session, async () => 5);
    // @ts-expect-error work that is not asynchronous
    void inbox.once('m', session, () => 5);
    // @ts-expect-error no work
    void inbox.once('m', session);
    // @ts-expect-error a message without an id
    void inbox.handle({ type: 'a' }, session, async () => 5);
    // @ts-expect-error an id where a message is expected
    void inbox.handle('m', session, async () => 5);
  });
});
