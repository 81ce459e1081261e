import type { Connection } from 'mongoose';

import type { Consumer, ConsumerInfo, ConsumerOptions, OutboxEvents, ServiceOutbox } from '../../src/index.js';
import type { Order } from './consumer-runs.js';
import { createOutbox, type OutboxOverrides, type TestMessage } from './create-outbox.js';
import { ScriptedWork, type Run } from './scripted-work.js';

/** An outbox and what its consumers do; to the others on the same database it is as good as another process. */
export interface Consuming {
  readonly outbox: ServiceOutbox<TestMessage>;
  readonly connection: Connection;
  readonly database: string;
  readonly work: ScriptedWork;
  readonly runs: Run[];
  /** Payloads of `consumer:start`, `consumer:stop` and so on, and errors. */
  readonly events: { event: string; payload: Record<string, unknown> }[];
  consume(options?: ConsumerOptions<TestMessage['type']>, name?: string): Consumer;
  put(messages: Order[]): Promise<void>;
  info(name?: string): Promise<ConsumerInfo>;
}

const told = [
  'consumer:start',
  'consumer:stop',
  'consumer:lost',
  'consumer:park',
  'consumer:retry',
  'consumer:dead',
  'consumer:outage',
] as const satisfies readonly (keyof OutboxEvents)[];

/** A short lease; a process that stands still for longer loses it. @param runs shared with others, to see who did what in which order */
export async function createConsuming(
  overrides: OutboxOverrides<TestMessage> = {},
  runs: Run[] = [],
): Promise<Consuming> {
  const created = await createOutbox<TestMessage>({
    ...overrides,
    options: { leaseMs: 1_000, closeTimeoutMs: 5_000, ...overrides.options },
  });
  const { outbox, connection } = created;
  const work = new ScriptedWork((run) => runs.push(run), connection);
  const events: Consuming['events'] = [];
  for (const event of told) outbox.on(event, (payload) => events.push({ event, payload: { ...payload } }));
  outbox.on('error', (payload) => events.push({ event: 'error', payload: { ...payload } }));
  await outbox.init();
  return {
    ...created,
    work,
    runs,
    events,
    consume: (options = {}, name = 'c') =>
      outbox.consume(name, work.handle, options as ConsumerOptions<TestMessage['type']> & { transactional?: false }),
    put: async (messages) => {
      await outbox.put(messages, null);
    },
    info: async (name = 'c') => {
      const found = (await outbox.consumers.list()).find((info) => info.name === name);
      if (found === undefined) throw new Error(`no consumer ${name}`);
      return found;
    },
  };
}

/** Quick retries, for tests. */
export const quickRetry = { maxAttempts: 5, initialDelayMs: 50, maxDelayMs: 100, jitter: 0 } as const;
