import type { ClientSession } from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import type { Delivered, OutboxMessage } from '../message.js';
import type { Handler, HandlerMap, TransactionalContext } from '../handler.js';
import type { Publisher, PublishContext, PublishResult } from '../publisher.js';

type AnyMessage = Delivered<OutboxMessage>;
/** What a handler is called with; `session` only with `transactional: true`. */
export type RunContext = Omit<TransactionalContext, 'session'> & { session?: ClientSession };
type AnyHandler = (message: AnyMessage, context: RunContext) => unknown;

/** What a consumer does with messages: handle them one by one, or publish them in batches. */
export type Work =
  | { kind: 'handle'; handles: (type: string) => boolean; handle: AnyHandler }
  | { kind: 'publish'; handles: (type: string) => boolean; publish: AnyPublish };
type AnyPublish = (messages: readonly AnyMessage[], context: PublishContext) => Promise<void | PublishResult>;

/** @throws `INVALID_OPTION`, `UNKNOWN_TYPE` for a handler of a type that is not declared */
export function handlerWork(given: unknown, declared: readonly string[]): Work {
  if (typeof given === 'function') {
    return { kind: 'handle', handles: (type) => declared.includes(type), handle: given as AnyHandler };
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new OutboxError(
      'INVALID_OPTION',
      `a handler must be a function, or an object with a function per message type: got ${shown(given)}`,
    );
  const map = given as HandlerMap<OutboxMessage>;
  // Methods of a class count too; what every object has does not.
  const has = (type: string) =>
    typeof map[type] === 'function' && (Object.hasOwn(map, type) || map[type] !== Reflect.get(Object.prototype, type));
  for (const [type, handle] of Object.entries(map)) {
    if (!declared.includes(type) && typeof handle === 'function')
      throw new OutboxError(
        'UNKNOWN_TYPE',
        `the handlers name ${shown(type)}, which this outbox does not declare: it declares ${declared.map(shown).join(', ')}`,
      );
    if (declared.includes(type) && typeof handle !== 'function')
      throw new OutboxError('INVALID_OPTION', `the handler of ${shown(type)} must be a function: got ${shown(handle)}`);
  }
  return {
    kind: 'handle',
    handles: (type) => declared.includes(type) && has(type),
    handle: (message, context) => (map[message.type] as Handler<OutboxMessage>)(message, context),
  };
}

/** @throws `INVALID_OPTION` */
export function publisherWork(given: unknown, declared: readonly string[]): Work {
  const publisher = given as Publisher<OutboxMessage> | null | undefined;
  if (typeof publisher?.publish !== 'function')
    throw new OutboxError(
      'INVALID_OPTION',
      `a publisher must be an object with the method publish(messages, context): got ${shown(given)}`,
    );
  return {
    kind: 'publish',
    handles: (type) => declared.includes(type),
    // A publisher that throws instead of rejecting means the same.
    publish: async (messages, context) => publisher.publish(messages, context),
  };
}

/** What a drain was given: a publisher has the method `publish`, unless that is the name of a message type. */
export function drainWork(given: unknown, declared: readonly string[]): Work {
  const isPublisher =
    typeof given === 'object' && given !== null && 'publish' in given && !declared.includes('publish');
  return isPublisher ? publisherWork(given, declared) : handlerWork(given, declared);
}

/** Positions that failed by themselves, each with its error. @throws `INVALID_RESULT` when it is no result for this batch */
export function failedPositions(
  result: void | PublishResult | null | undefined,
  batch: readonly { position: number }[],
): Map<number, unknown> {
  const failed = new Map<number, unknown>();
  if (result === undefined || result === null) return failed;
  const list = (result as { failed?: unknown }).failed;
  if (!Array.isArray(list)) throw invalidResult(`it resolved to ${shown(result)} without an array "failed"`);
  for (const entry of list as unknown[]) {
    const { position, error } = (entry ?? {}) as { position?: unknown; error?: unknown };
    if (typeof position !== 'number' || !batch.some((message) => message.position === position))
      throw invalidResult(`it reports position ${shown(position)} as failed, which was not in the batch`);
    failed.set(position, error ?? new Error('the publisher reported a failure without an error'));
  }
  return failed;
}

function invalidResult(what: string): OutboxError {
  return new OutboxError(
    'INVALID_RESULT',
    `the publisher's answer is not to be trusted: ${what}; it must resolve to nothing, or to { failed: [{ position, error }] } with positions of the batch. The batch counts as not published`,
  );
}
