import type { Scheduler, Stream } from '@most/types';
import mongoose, { type ClientSession, type Model } from 'mongoose';
import { describe, expectTypeOf, it } from 'vitest';

import {
  OutboxError,
  type Delivered,
  type LogEntry,
  type Of,
  type OutboxErrorCode,
  type OutboxStatus,
  type Put,
  type ServiceOutbox,
} from '../../src/index.js';

type Created = { type: 'order_created'; data: { nr: number; note?: string; lines: { sku: string }[] } };
type Shipped = { type: 'order_shipped'; data: { nr: number; at: Date } };
type Message = Created | Shipped;

// Described, not made: these files are compiled, and do not run.
declare const outbox: ServiceOutbox<Message>;
declare const session: ClientSession;
const lines = [{ sku: 'x' }];

describe('put', () => {
  it('takes each message type, one or many, with or without id, key, headers and session', async () => {
    expectTypeOf(await outbox.put({ type: 'order_created', data: { nr: 1, lines } }, session)).toEqualTypeOf<string>();
    await outbox.put({ type: 'order_created', data: { nr: 1, note: 'x', lines } });
    await outbox.put({ type: 'order_shipped', data: { nr: 1, at: new Date() } }, null);
    await outbox.put({
      type: 'order_shipped',
      data: { nr: 1, at: new Date() },
      id: 'i',
      key: 'k',
      headers: { h: 'v' },
    });
    const both: readonly Put<Message>[] = [
      { type: 'order_created', data: { nr: 1, lines }, key: 'k' },
      { type: 'order_shipped', data: { nr: 1, at: new Date() } },
    ];
    expectTypeOf(await outbox.put(both, session)).toEqualTypeOf<string[]>();
    expectTypeOf<Put<Message>>().toExtend<{ id?: string; key?: string; headers?: Record<string, string> }>();
  });

  it('takes nothing else', () => {
    const at = new Date();
    // @ts-expect-error a type that is unknown
    void outbox.put({ type: 'order_lost', data: { nr: 1 } });
    // @ts-expect-error no type
    void outbox.put({ data: { nr: 1, at } });
    // @ts-expect-error no data
    void outbox.put({ type: 'order_shipped' });
    // @ts-expect-error a field is missing
    void outbox.put({ type: 'order_shipped', data: { nr: 1 } });
    // @ts-expect-error a field is too many
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at, by: 'x' } });
    // @ts-expect-error a field has another type
    void outbox.put({ type: 'order_shipped', data: { nr: '1', at } });
    // @ts-expect-error a Date is no string
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at: '2020-01-01' } });
    // @ts-expect-error the data of another type
    void outbox.put({ type: 'order_created', data: { nr: 1, at } });
    // @ts-expect-error inside an array
    void outbox.put({ type: 'order_created', data: { nr: 1, lines: [{ sku: 5 }] } });
    // @ts-expect-error undefined
    void outbox.put({ type: 'order_created', data: { nr: 1, lines, note: undefined } });
    // @ts-expect-error a key that is no string
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at }, key: 5 });
    // @ts-expect-error an id that is no string
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at }, id: new mongoose.Types.ObjectId() });
    // @ts-expect-error a header that is no string
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at }, headers: { h: 5 } });
    // @ts-expect-error another field
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at }, position: 5 });
    // @ts-expect-error one bad message in an array
    void outbox.put([
      { type: 'order_shipped', data: { nr: 1, at } },
      { type: 'order_shipped', data: { nr: 1 } },
    ]);
    // @ts-expect-error what is no session
    void outbox.put({ type: 'order_shipped', data: { nr: 1, at } }, { session });
    // @ts-expect-error an array in an array
    void outbox.put([[{ type: 'order_shipped', data: { nr: 1, at } }]]);
  });

  it('takes a key of its own kind where the message declares it', () => {
    const keyed = null as unknown as ServiceOutbox<{ type: 'a'; data: { n: number }; key: 'x' | 'y' }>;
    void keyed.put({ type: 'a', data: { n: 1 }, key: 'x' });
    // @ts-expect-error the key is missing
    void keyed.put({ type: 'a', data: { n: 1 } });
    // @ts-expect-error another key
    void keyed.put({ type: 'a', data: { n: 1 }, key: 'z' });
  });
});

describe('messages and tail', () => {
  it('give every type, with its place in the log', () => {
    expectTypeOf(outbox.messages()).toEqualTypeOf<AsyncIterable<Delivered<Message>>>();
    expectTypeOf(outbox.messages('end', { live: false })).toEqualTypeOf<AsyncIterable<Delivered<Message>>>();
    expectTypeOf(outbox.tail(new Date())).toEqualTypeOf<[Stream<Delivered<Message>>, Scheduler, () => Promise<void>]>();
    type One = Delivered<Message>;
    expectTypeOf<One['position']>().toEqualTypeOf<number>();
    expectTypeOf<One['created']>().toEqualTypeOf<Date>();
    expectTypeOf<One['id']>().toEqualTypeOf<string>();
    expectTypeOf<One['key']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<One['headers']>().toEqualTypeOf<Record<string, string>>();
  });

  it('are narrowed by the type of a message', async () => {
    for await (const message of outbox.messages()) {
      switch (message.type) {
        case 'order_created':
          expectTypeOf(message.data).toEqualTypeOf<Created['data']>();
          // @ts-expect-error that is of the other type
          void message.data.at;
          break;
        case 'order_shipped':
          expectTypeOf(message.data.at).toEqualTypeOf<Date>();
          break;
        default:
          expectTypeOf(message).toEqualTypeOf<never>();
      }
    }
  });

  it('are narrowed by the option types', async () => {
    for await (const message of outbox.messages('beginning', { types: ['order_created'] })) {
      expectTypeOf(message).toEqualTypeOf<Delivered<Created>>();
      expectTypeOf(message.data.lines).toEqualTypeOf<{ sku: string }[]>();
    }
    const [stream] = outbox.tail(5, { types: ['order_shipped'] });
    expectTypeOf(stream).toEqualTypeOf<Stream<Delivered<Shipped>>>();
    const types = ['order_created', 'order_shipped'] as const;
    expectTypeOf(outbox.messages('end', { types })).toEqualTypeOf<AsyncIterable<Delivered<Message>>>();
  });

  it('take no unknown type, option or cursor', () => {
    // @ts-expect-error an unknown type
    outbox.messages('beginning', { types: ['order_lost'] });
    // @ts-expect-error an unknown type beside a known one
    outbox.messages('beginning', { types: ['order_created', 'order_lost'] });
    // @ts-expect-error an unknown type
    outbox.tail('beginning', { types: ['order_lost'] });
    // @ts-expect-error an unknown option
    outbox.messages('beginning', { type: 'order_created' });
    // @ts-expect-error tail is always live
    outbox.tail('beginning', { live: false });
    // @ts-expect-error no such place
    outbox.messages('start');
    // @ts-expect-error a Date as text
    outbox.messages('2020-01-01');
    // @ts-expect-error a position is a number
    outbox.tail(5n);
  });
});

describe('helpers', () => {
  it('pick and spread over the union', () => {
    expectTypeOf<Of<Message, 'order_shipped'>>().toEqualTypeOf<Shipped>();
    expectTypeOf<Extract<Delivered<Message>, { type: 'order_shipped' }>>().toEqualTypeOf<Delivered<Shipped>>();
    expectTypeOf<Extract<Put<Message>, { type: 'order_created' }>['data']>().toEqualTypeOf<Created['data']>();
  });
});

describe('the model', () => {
  it('has the fields of an entry, narrowed by type', async () => {
    expectTypeOf(outbox.model).toEqualTypeOf<Model<LogEntry<Message>>>();
    const entry = await outbox.model.findOne({ type: 'order_created' }).lean();
    expectTypeOf(entry?._id).toEqualTypeOf<number | undefined>();
    expectTypeOf(entry?.created).toEqualTypeOf<Date | undefined>();
    if (entry?.type === 'order_shipped') expectTypeOf(entry.data.at).toEqualTypeOf<Date>();
    await outbox.model.find({ type: { $exists: true } });
    await outbox.model.find({ _id: { $gt: 5 } });
    // @ts-expect-error a field that no entry has
    void entry?.position;
  });
});

describe('events, errors, status', () => {
  it('are typed by name', () => {
    outbox
      .on('log:append', ({ outbox: name, first, last }) =>
        expectTypeOf([name, first, last]).items.toExtend<string | number>(),
      )
      .on('error', ({ error, part }) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
        expectTypeOf(part).toExtend<string>();
      });
    outbox.off('tail:reopen', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<string>());
    // @ts-expect-error no such event
    outbox.on('log:appended', () => undefined);
    // @ts-expect-error no such field
    outbox.on('log:append', ({ positions }) => void positions);
  });

  it('have codes of the table only', () => {
    expectTypeOf(new OutboxError('CLOSED', 'x').code).toEqualTypeOf<OutboxErrorCode>();
    expectTypeOf(new OutboxError('CLOSED', 'x').retryable).toEqualTypeOf<boolean>();
    // @ts-expect-error no such code
    new OutboxError('CLOSE', 'x');
    const error: unknown = null;
    if (error instanceof OutboxError) expectTypeOf(error.oldest).toEqualTypeOf<number | undefined>();
  });

  it('tell how the outbox is doing', () => {
    expectTypeOf(outbox.status()).resolves.toEqualTypeOf<OutboxStatus>();
    expectTypeOf<OutboxStatus['sequencer']['owner']>().toEqualTypeOf<string | null>();
  });

  it('end with the outbox', async () => {
    await using closing = outbox;
    expectTypeOf(closing.name).toEqualTypeOf<string>();
    // @ts-expect-error readonly
    closing.name = 'other';
  });
});
