import type { ClientSession } from 'mongoose';
import { describe, expectTypeOf, it } from 'vitest';

import {
  PermanentError,
  RetryAfter,
  ServiceOutbox,
  Unavailable,
  type Consumer,
  type ConsumerInfo,
  type ConsumerOptions,
  type Delivered,
  type DrainOptions,
  type DrainReport,
  type ErrorInfo,
  type Failure,
  type FailureFilter,
  type Handler,
  type HandlerContext,
  type HandlerMap,
  type OutboxMessage,
  type OutboxStatus,
  type PublishContext,
  type Publisher,
  type RelayOptions,
  type TransactionalContext,
  type TransactionalHandler,
  type TransactionalHandlerMap,
} from '../../src/index.js';

type Created = { type: 'order_created'; data: { nr: number } };
type Shipped = { type: 'order_shipped'; data: { nr: number; at: Date } };
type Cancelled = { type: 'order_cancelled'; data: { nr: number; reason?: string } };
type Message = Created | Shipped | Cancelled;

// Described, not made: these files are compiled, and do not run.
declare const outbox: ServiceOutbox<Message>;
declare const signal: AbortSignal;
const nothing = () => undefined;

describe('a handler', () => {
  it('gets every message with its place, and a context without a session', () => {
    const consumer = outbox.consume('c', (message, context) => {
      expectTypeOf(message).toEqualTypeOf<Delivered<Message>>();
      expectTypeOf(context).toEqualTypeOf<HandlerContext>();
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(context.attempt).toEqualTypeOf<number>();
      // @ts-expect-error only with transactional: true
      void context.session;
      if (message.type === 'order_shipped') expectTypeOf(message.data.at).toEqualTypeOf<Date>();
    });
    expectTypeOf(consumer).toEqualTypeOf<Consumer>();
    outbox.consume('c', async ({ position }) => void expectTypeOf(position).toEqualTypeOf<number>(), {
      concurrency: 5,
    });
    outbox.consume('c', nothing);
    outbox.consume('c', async () => {});
  });

  it('is narrowed by the option types', () => {
    outbox.consume('c', (message) => void expectTypeOf(message).toEqualTypeOf<Delivered<Created>>(), {
      types: ['order_created'],
    });
    outbox.consume(
      'c',
      (message) => {
        expectTypeOf(message).toEqualTypeOf<Delivered<Created | Shipped>>();
        // @ts-expect-error that one is left out
        if (message.type === 'order_cancelled') return;
      },
      { types: ['order_created', 'order_shipped'] },
    );
  });

  it('may be declared apart', () => {
    const handle: Handler<Message> = ({ data }) => void expectTypeOf(data.nr).toEqualTypeOf<number>();
    const created: Handler<Created> = ({ data }) => void expectTypeOf(data).toEqualTypeOf<{ nr: number }>();
    outbox.consume('c', handle);
    outbox.consume('c', created, { types: ['order_created'] });
    // @ts-expect-error it handles one type, and all would come
    outbox.consume('c', created);
    // @ts-expect-error it handles one type, and all would come
    void outbox.drain('c', created);
    // @ts-expect-error it handles another type
    outbox.consume('c', created, { types: ['order_shipped'] });
  });

  it('is a function, or one for each type', () => {
    // @ts-expect-error nothing
    outbox.consume('c');
    // @ts-expect-error text
    outbox.consume('c', 'order_created');
    // @ts-expect-error a name that is no text
    outbox.consume(5, nothing);
  });
});

describe('handlers by type', () => {
  const created = (message: Delivered<Created>) => void message.data.nr;
  const shipped = (message: Delivered<Shipped>) => void message.data.at;
  const cancelled = (message: Delivered<Cancelled>) => void message.data.reason;

  it('are total', () => {
    outbox.consume('c', { order_created: created, order_shipped: shipped, order_cancelled: cancelled });
    outbox.consume('c', {
      order_created: (message, context) => {
        expectTypeOf(message).toEqualTypeOf<Delivered<Created>>();
        expectTypeOf(context).toEqualTypeOf<HandlerContext>();
      },
      order_shipped: async ({ data }) => void expectTypeOf(data.at).toEqualTypeOf<Date>(),
      order_cancelled: ({ data }) => void expectTypeOf(data.reason).toEqualTypeOf<string | undefined>(),
    });
    // @ts-expect-error a type is missing
    outbox.consume('c', { order_created: created, order_shipped: shipped });
    // @ts-expect-error a type that is not declared
    outbox.consume('c', { order_created: created, order_shipped: shipped, order_cancelled: cancelled, other: nothing });
    // @ts-expect-error the handler of another type
    outbox.consume('c', { order_created: shipped, order_shipped: shipped, order_cancelled: cancelled });
    // @ts-expect-error undefined is no handler
    outbox.consume('c', { order_created: created, order_shipped: shipped, order_cancelled: undefined });
  });

  it('are narrowed by the option types, and total for those', () => {
    const types = ['order_created', 'order_shipped'] as const;
    outbox.consume('c', { order_created: created, order_shipped: shipped }, { types });
    outbox.consume('c', { order_created: created }, { types: ['order_created'] });
    // @ts-expect-error one of the types is missing
    outbox.consume('c', { order_created: created }, { types });
    // @ts-expect-error one more than the types
    outbox.consume('c', { order_created: created, order_shipped: shipped }, { types: ['order_created'] });
  });

  it('have a type of their own', () => {
    const map: HandlerMap<Message> = { order_created: created, order_shipped: shipped, order_cancelled: cancelled };
    outbox.consume('c', map);
    // @ts-expect-error a type is missing
    const partial: HandlerMap<Message> = { order_created: created };
    outbox.consume('c', partial);
    expectTypeOf<keyof HandlerMap<Message>>().toEqualTypeOf<Message['type']>();
  });
});

describe('transactional: true', () => {
  it('gives the session', () => {
    outbox.consume(
      'c',
      (message, context) => {
        expectTypeOf(message).toEqualTypeOf<Delivered<Message>>();
        expectTypeOf(context).toEqualTypeOf<TransactionalContext>();
        expectTypeOf(context.session).toEqualTypeOf<ClientSession>();
      },
      { transactional: true },
    );
    outbox.consume(
      'c',
      { order_created: (_, { session }) => void expectTypeOf(session).toEqualTypeOf<ClientSession>() },
      {
        types: ['order_created'],
        transactional: true,
      },
    );
    const handle: TransactionalHandler<Message> = async (_message, { session }) => void session;
    outbox.consume('c', handle, { transactional: true });
    const map: TransactionalHandlerMap<Created> = { order_created: (_message, { session }) => void session };
    outbox.consume('c', map, { transactional: true, types: ['order_created'] });
    void outbox.drain('c', handle, { transactional: true, maxMessages: 5 });
  });

  it('alone does so', () => {
    const handle: TransactionalHandler<Message> = async (_message, { session }) => void session;
    // @ts-expect-error it wants a session
    outbox.consume('c', handle);
    // @ts-expect-error it wants a session
    outbox.consume('c', handle, { transactional: false });
    // @ts-expect-error it wants a session
    void outbox.drain('c', handle, { maxMessages: 5 });
    // @ts-expect-error whether there is one is not known
    outbox.consume('c', handle, { transactional: null as unknown as boolean });
  });
});

describe('the options', () => {
  it('are known ones', () => {
    const retry = { maxAttempts: 5, initialDelayMs: 5, maxDelayMs: 5, factor: 2, jitter: 0 };
    outbox.consume('c', nothing, { from: new Date(), order: 'strict', batchSize: 5, retry, onDeadLetter: 'block' });
    outbox.consume('c', nothing, { from: 'end', handlerTimeoutMs: 5, concurrency: 5, signal, retry: { factor: 3 } });
    // @ts-expect-error an unknown one
    outbox.consume('c', nothing, { parallel: 5 });
    // @ts-expect-error an unknown type
    outbox.consume('c', nothing, { types: ['order_lost'] });
    // @ts-expect-error an unknown order
    outbox.consume('c', nothing, { order: 'none' });
    // @ts-expect-error no such place
    outbox.consume('c', nothing, { from: 'start' });
    // @ts-expect-error an unknown one of retry
    outbox.consume('c', nothing, { retry: { attempts: 5 } });
    // @ts-expect-error only a drain takes that
    outbox.consume('c', nothing, { deadlineMs: 5 });
    expectTypeOf<ConsumerOptions['order']>().toEqualTypeOf<'key' | 'strict' | undefined>();
  });
});

describe('relay', () => {
  it('hands ordered batches of all types to a publisher', () => {
    const publisher: Publisher<Message> = {
      async publish(messages, context) {
        expectTypeOf(messages).toEqualTypeOf<readonly Delivered<Message>[]>();
        expectTypeOf(context).toEqualTypeOf<PublishContext>();
        // @ts-expect-error a batch has no attempt
        void context.attempt;
        return { failed: [{ position: 5, error: new Unavailable() }] };
      },
    };
    expectTypeOf(outbox.relay('r', publisher)).toEqualTypeOf<Consumer>();
    outbox.relay('r', { publish: async () => undefined }, { batchSize: 1_000, from: 'end', order: 'strict' });
    outbox.relay('r', { publish: async () => {} });
  });

  it('is narrowed by the option types', () => {
    const publisher: Publisher<Created> = {
      publish: async ([first]) => void expectTypeOf(first).toEqualTypeOf<Delivered<Created> | undefined>(),
    };
    outbox.relay('r', publisher, { types: ['order_created'] });
    const any: Publisher<OutboxMessage> = { publish: async () => undefined };
    outbox.relay('r', any);
  });

  it('takes a publisher, and no options of handlers', () => {
    const publisher = { publish: async () => undefined };
    // @ts-expect-error a function
    outbox.relay('r', nothing);
    // @ts-expect-error not a promise
    outbox.relay('r', { publish: () => 5 });
    // @ts-expect-error ids are no positions
    outbox.relay('r', { publish: async () => ({ failed: [{ id: 'x', error: null }] }) });
    // @ts-expect-error one batch at a time
    outbox.relay('r', publisher, { concurrency: 5 });
    // @ts-expect-error a broker is not in the transaction
    outbox.relay('r', publisher, { transactional: true });
    // @ts-expect-error a publisher has the timeout of its client
    outbox.relay('r', publisher, { handlerTimeoutMs: 5 });
    expectTypeOf<keyof RelayOptions>().toEqualTypeOf<
      'from' | 'types' | 'order' | 'batchSize' | 'retry' | 'onDeadLetter' | 'signal'
    >();
  });
});

describe('drain', () => {
  it('takes a handler, handlers by type, or a publisher, and reports', () => {
    expectTypeOf(
      outbox.drain('d', (message) => void expectTypeOf(message).toEqualTypeOf<Delivered<Message>>()),
    ).toEqualTypeOf<Promise<DrainReport>>();
    void outbox.drain('d', { order_created: nothing, order_shipped: nothing, order_cancelled: nothing });
    void outbox.drain('d', { order_created: nothing }, { types: ['order_created'], maxMessages: 5 });
    void outbox.drain('d', { publish: async () => undefined }, { deadlineMs: 5, ifHeld: 'wait' });
    const publisher: Publisher<Created> = { publish: async () => undefined };
    void outbox.drain('d', publisher, { types: ['order_created'] });
    // @ts-expect-error a type is missing
    void outbox.drain('d', { order_created: nothing });
    // @ts-expect-error an unknown option
    void outbox.drain('d', nothing, { deadline: 5 });
    // @ts-expect-error an unknown word
    void outbox.drain('d', nothing, { ifHeld: 'fail' });
    expectTypeOf<DrainReport['heldBy']>().toEqualTypeOf<string | null>();
    expectTypeOf<DrainReport['nextAttemptAt']>().toEqualTypeOf<Date | null>();
    expectTypeOf<keyof ConsumerOptions>().toExtend<keyof DrainOptions>();
  });
});

describe('consumers', () => {
  it('are listed and steered by name', () => {
    expectTypeOf(outbox.consumers.list()).toEqualTypeOf<Promise<ConsumerInfo[]>>();
    expectTypeOf(outbox.consumers.pause('c', { by: 'me', reason: 'why' })).toEqualTypeOf<Promise<void>>();
    expectTypeOf(outbox.consumers.pause('c')).toEqualTypeOf<Promise<void>>();
    expectTypeOf(outbox.consumers.resume('c')).toEqualTypeOf<Promise<void>>();
    expectTypeOf(outbox.consumers.rewind('c', new Date())).toEqualTypeOf<Promise<void>>();
    void outbox.consumers.rewind('c', 'beginning');
    void outbox.consumers.rewind('c', 5);
    expectTypeOf(outbox.consumers.remove('c')).toEqualTypeOf<Promise<void>>();
    // @ts-expect-error whereto
    void outbox.consumers.rewind('c');
    // @ts-expect-error no such place
    void outbox.consumers.rewind('c', 'start');
    // @ts-expect-error an unknown field
    void outbox.consumers.pause('c', { who: 'me' });
    // @ts-expect-error they are made by consume and relay
    outbox.consumers = null as never;
    expectTypeOf<OutboxStatus['consumers']>().toEqualTypeOf<ConsumerInfo[]>();
  });

  it('can be waited for and closed', async () => {
    await using consumer = outbox.consume('c', nothing);
    expectTypeOf(consumer.closed).toEqualTypeOf<Promise<void>>();
    expectTypeOf(consumer.close()).toEqualTypeOf<Promise<void>>();
    // @ts-expect-error readonly
    consumer.name = 'other';
  });
});

describe('failures', () => {
  it('are listed, retried and discarded by a filter', async () => {
    expectTypeOf(outbox.failures.list()).toEqualTypeOf<Promise<Failure<Message>[]>>();
    const [failure] = await outbox.failures.list({ consumer: 'c', state: 'dead', limit: 5 });
    expectTypeOf(failure?.message).toEqualTypeOf<Delivered<Message> | undefined>();
    expectTypeOf(failure?.lastError).toEqualTypeOf<ErrorInfo | null | undefined>();
    if (failure !== undefined) await outbox.failures.list({ after: failure });
    expectTypeOf(outbox.failures.retry({ ids: ['a'] })).toEqualTypeOf<Promise<number>>();
    expectTypeOf(outbox.failures.discard({ all: true })).toEqualTypeOf<Promise<number>>();
    // @ts-expect-error of which
    void outbox.failures.retry();
    // @ts-expect-error of which
    void outbox.failures.discard();
    // @ts-expect-error an unknown state
    void outbox.failures.list({ state: 'lost' });
    // @ts-expect-error an unknown field
    void outbox.failures.list({ id: 'a' });
    // @ts-expect-error all, or narrowed
    void outbox.failures.discard({ all: false });
    expectTypeOf<FailureFilter['positions']>().toEqualTypeOf<readonly number[] | undefined>();
  });
});

describe('verdicts', () => {
  it('are errors', () => {
    expectTypeOf(new PermanentError('no', { cause: null })).toExtend<Error>();
    expectTypeOf(new RetryAfter(5).delayMs).toEqualTypeOf<number>();
    expectTypeOf(new Unavailable()).toExtend<Error>();
    // @ts-expect-error after what
    new RetryAfter();
    // @ts-expect-error a number of milliseconds
    new RetryAfter('5 s');
  });
});

describe('with define', () => {
  it('handlers have the types of the schemas', () => {
    const defined = ServiceOutbox.define('X', { paid: { data: { amount: { type: Number, required: true } } } });
    defined.consume('c', { paid: ({ data }) => void expectTypeOf(data.amount).toEqualTypeOf<number>() });
    // @ts-expect-error a type that is not declared
    defined.consume('c', { refunded: nothing });
  });
});
