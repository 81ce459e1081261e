import { describe, expect, it, vi } from 'vitest';

import { drainWork, failedPositions, handlerWork, publisherWork } from '../../../src/consumer/work.js';

const declared = ['created', 'shipped'];
const refusal = (code: string, named: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(named) as string }) as Error;
const message = (type: string, position = 1) =>
  ({ type, data: {}, id: 'i', position, created: new Date(0), headers: {} }) as never;
const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1, attempt: 1 };

describe('handlers', () => {
  it('are one function for all declared types', () => {
    const handle = vi.fn();
    const work = handlerWork(handle, declared);
    expect(work.kind).toBe('handle');
    expect(['created', 'shipped', 'lost'].map((type) => work.handles(type))).toEqual([true, true, false]);
    if (work.kind === 'handle') work.handle(message('created'), context);
    expect(handle).toHaveBeenCalledExactlyOnceWith(message('created'), context);
  });

  it('are a function for each type; a type without one is not handled', () => {
    const handlers = { created: vi.fn() };
    const work = handlerWork(handlers, declared);
    expect(['created', 'shipped', 'toString', 'lost'].map((type) => work.handles(type))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    if (work.kind === 'handle') work.handle(message('created'), context);
    expect(handlers.created).toHaveBeenCalledExactlyOnceWith(message('created'), context);
  });

  it.each<[what: string, given: unknown, code: string, named: string]>([
    ['nothing', undefined, 'INVALID_OPTION', 'undefined'],
    ['null', null, 'INVALID_OPTION', 'null'],
    ['an array', [() => undefined], 'INVALID_OPTION', 'an array'],
    ['a string', 'created', 'INVALID_OPTION', '"created"'],
    ['a type that is not declared', { lost: () => undefined }, 'UNKNOWN_TYPE', '"lost"'],
    ['no function', { created: 5 }, 'INVALID_OPTION', '"created"'],
    ['undefined for a type', { created: undefined }, 'INVALID_OPTION', '"created"'],
  ])('are refused as %s', (_what, given, code, named) => {
    expect(() => handlerWork(given, declared)).toThrow(refusal(code, named));
  });

  it('may be the methods of a class', () => {
    class Handlers {
      created() {}
    }
    expect(handlerWork(new Handlers(), declared).handles('created')).toBe(true);
  });
});

describe('a publisher', () => {
  it('publishes all declared types, as a method of its own', async () => {
    class Broker {
      sent: unknown[] = [];
      async publish(messages: readonly unknown[]) {
        this.sent.push(...messages);
      }
    }
    const broker = new Broker();
    const work = publisherWork(broker, declared);
    expect(['created', 'lost'].map((type) => work.handles(type))).toEqual([true, false]);
    if (work.kind === 'publish') await work.publish([message('created')], context);
    expect(broker.sent).toEqual([message('created')]);
  });

  it('that throws rejects', async () => {
    const work = publisherWork(
      {
        publish: () => {
          throw new Error('at once');
        },
      },
      declared,
    );
    const published = work.kind === 'publish' ? work.publish([], context) : undefined;
    await expect(published).rejects.toThrow('at once');
  });

  it.each([[undefined], [null], [() => undefined], [{}], [{ publish: 5 }]])('is not %o', (given) => {
    expect(() => publisherWork(given, declared)).toThrow(refusal('INVALID_OPTION', 'publish(messages, context)'));
  });
});

describe('what a drain is given', () => {
  it.each<[what: string, given: unknown, types: readonly string[], kind: string]>([
    ['a function', () => undefined, declared, 'handle'],
    ['handlers by type', { created: () => undefined }, declared, 'handle'],
    ['a publisher', { publish: async () => undefined }, declared, 'publish'],
    ['handlers where a type is called publish', { publish: () => undefined }, [...declared, 'publish'], 'handle'],
  ])('is %s', (_what, given, types, kind) => {
    expect(drainWork(given, types).kind).toBe(kind);
  });

  it('is refused otherwise', () => {
    expect(() => drainWork(undefined, declared)).toThrow(refusal('INVALID_OPTION', 'undefined'));
  });
});

describe("a publisher's answer", () => {
  const batch = [{ position: 4 }, { position: 5 }, { position: 7 }];

  it.each<[what: string, result: unknown, failed: [number, unknown][]]>([
    ['nothing', undefined, []],
    ['null', null, []],
    ['no failures', { failed: [] }, []],
    [
      'some failures',
      {
        failed: [
          { position: 7, error: 'b' },
          { position: 4, error: 'a' },
        ],
      },
      [
        [7, 'b'],
        [4, 'a'],
      ],
    ],
    [
      'one failure twice',
      {
        failed: [
          { position: 4, error: 'a' },
          { position: 4, error: 'b' },
        ],
      },
      [[4, 'b']],
    ],
  ])('%s', (_what, result, failed) => {
    expect([...failedPositions(result as never, batch)]).toEqual(failed);
  });

  it('gets an error where it names none', () => {
    const failed = failedPositions({ failed: [{ position: 5, error: undefined }] }, batch);
    expect(failed.get(5)).toBeInstanceOf(Error);
  });

  it.each<[what: string, result: unknown, named: string]>([
    ['a boolean', true, 'true'],
    ['no array', { failed: 5 }, 'an object of Object'],
    ['no field', {}, 'an object of Object'],
    ['an array', [], 'an array'],
    ['a position that was not in the batch', { failed: [{ position: 6, error: 'x' }] }, '6'],
    ['a position as text', { failed: [{ position: '4', error: 'x' }] }, '"4"'],
    ['an id', { failed: [{ id: 'i', error: 'x' }] }, 'undefined'],
    ['null for a failure', { failed: [null] }, 'undefined'],
    ['a position alone', { failed: [4] }, 'undefined'],
  ])('is not to be trusted: %s', (_what, result, named) => {
    expect(() => failedPositions(result as never, batch)).toThrow(refusal('INVALID_RESULT', named));
  });
});
