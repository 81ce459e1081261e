import { OutboxError, shown } from '../errors.js';
import type { Failure, FailureFilter } from '../handler.js';
import type { OutboxMessage } from '../message.js';
import { noteFailuresChanged } from '../store/consumer-requests.js';
import { consumersOfFailures, discardFailures, listFailures, retryFailures } from '../store/list-failures.js';
import type { ConsumerHost } from './running-consumer.js';

const filterNames = ['consumer', 'state', 'type', 'key', 'ids', 'positions', 'all', 'limit', 'after'];
const defaultLimit = 100;
const mostLimit = 10_000;

/** Refuses what is no filter. @throws `INVALID_FILTER` */
export function checkFailureFilter(filter: unknown, mayBeEmpty: boolean): asserts filter is FailureFilter {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter))
    throw invalid(`a filter must be an object: got ${shown(filter)}`);
  const given = filter as Record<string, unknown>;
  const unknown = Object.keys(given).find((name) => !filterNames.includes(name));
  if (unknown !== undefined) throw invalid(`${shown(unknown)} is unknown: the fields are ${filterNames.join(', ')}`);
  for (const name of ['consumer', 'type', 'key'])
    if (given[name] !== undefined && typeof given[name] !== 'string')
      throw invalid(`${name} must be a string: got ${shown(given[name])}`);
  const { state, ids, positions, limit, after } = filter as FailureFilter;
  if (state !== undefined && !['retrying', 'queued', 'dead'].includes(state))
    throw invalid(`state must be "retrying", "queued" or "dead": got ${shown(state)}`);
  if (ids !== undefined && !(Array.isArray(ids) && ids.every((id) => typeof id === 'string')))
    throw invalid(`ids must be an array of strings: got ${shown(ids)}`);
  if (positions !== undefined && !(Array.isArray(positions) && positions.every(Number.isSafeInteger)))
    throw invalid(`positions must be an array of whole numbers: got ${shown(positions)}`);
  if (given['all'] !== undefined && given['all'] !== true)
    throw invalid(`all must be true, or left out: got ${shown(given['all'])}`);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1 && limit <= mostLimit))
    throw invalid(`limit must be a whole number from 1 to ${mostLimit}: got ${shown(limit)}`);
  if (after !== undefined && !isPlace(after))
    throw invalid(`after must be { consumer, position } of a failure: got ${shown(after)}`);
  const narrows = ['consumer', 'state', 'type', 'key', 'ids', 'positions'].some((name) => given[name] !== undefined);
  if (!narrows && given['all'] !== true && !mayBeEmpty)
    throw invalid('an empty filter would mean every failure of the outbox: say so with { all: true }, or narrow it');
}

function isPlace(after: unknown): boolean {
  if (typeof after !== 'object' || after === null) return false;
  const { consumer, position } = after as { consumer?: unknown; position?: unknown };
  if (consumer === null) return position === null;
  return typeof consumer === 'string' && Number.isSafeInteger(position);
}

function invalid(text: string): OutboxError {
  return new OutboxError('INVALID_FILTER', text);
}

/** Failed messages of all consumers: being retried, queued behind one that is, or dead letters. Works from any process. */
export class Failures<M extends OutboxMessage> {
  constructor(
    private readonly host: ConsumerHost,
    private readonly changed: (consumers: readonly string[]) => void,
  ) {}

  /** In order of consumer and position, at most `limit` (100); go on with `after: failures.at(-1)`. @throws `INVALID_FILTER` */
  async list(filter: FailureFilter = {}): Promise<Failure<M>[]> {
    checkFailureFilter(filter, true);
    await this.host.ready();
    const stored = await listFailures(this.host.store, filter, filter.limit ?? defaultLimit);
    return stored.map(({ entry, ...failure }) => {
      const message = this.host.deliver(entry);
      return { id: message.id, ...failure, message } as unknown as Failure<M>;
    });
  }

  /**
   * Lets failed messages, dead letters too, be tried again now, attempts starting anew: by the consumer's owner, when
   * their key is free. Queued ones are left: they follow those they wait for.
   *
   * @returns how many
   * @throws `INVALID_FILTER`, also for an empty filter without `all`
   */
  async retry(filter: FailureFilter): Promise<number> {
    checkFailureFilter(filter, false);
    await this.host.ready();
    const { store, options } = this.host;
    const consumers = await consumersOfFailures(store, filter);
    return this.#noted(consumers, await retryFailures(store, filter, options.leaseMs));
  }

  /** Deletes failed messages for good; what waits behind them goes on. @returns how many. @throws as `retry` */
  async discard(filter: FailureFilter): Promise<number> {
    checkFailureFilter(filter, false);
    await this.host.ready();
    const { store, options } = this.host;
    const consumers = await consumersOfFailures(store, filter);
    return this.#noted(consumers, await discardFailures(store, filter, options.leaseMs));
  }

  async #noted(consumers: readonly string[], count: number): Promise<number> {
    if (count > 0 && consumers.length > 0) {
      await noteFailuresChanged(this.host.store, consumers, this.host.options.leaseMs);
      this.changed(consumers);
    }
    return count;
  }
}
