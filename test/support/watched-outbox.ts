import type { Consumer, ConsumerInfo, Failure, OutboxEvents, Put, ServiceOutbox } from '../../src/index.js';
import { createOutbox, waitFor, type OutboxOverrides, type TestMessage, type TestOutbox } from './create-outbox.js';

/** What an outbox told of its consumers, oldest first. */
type Told = {
  [E in keyof OutboxEvents]: { event: E; payload: OutboxEvents[E] };
}[keyof OutboxEvents];

const consumerEvents = [
  ...(['consumer:start', 'consumer:progress', 'consumer:retry', 'consumer:park', 'consumer:dead'] as const),
  ...(['consumer:outage', 'consumer:stop', 'consumer:lost', 'error'] as const),
];

/** The checkpoint of a consumer as it is stored. */
interface StoredCheckpoint {
  position: number;
  epoch: number;
  begun: number | null;
  handled: number[];
}

export interface WatchedOutbox extends TestOutbox<TestMessage> {
  readonly told: Told[];
  /** Payloads of one event. */
  of<E extends keyof OutboxEvents>(event: E): OutboxEvents[E][];
  /** Puts them in this order, outside any transaction. */
  put(messages: readonly Put<TestMessage>[]): Promise<void>;
  /** Past the library: the document `checkpoint:<name>` of `<outbox>.state`. */
  checkpoint(name?: string): Promise<StoredCheckpoint>;
  failures(name?: string): Promise<Failure<TestMessage>[]>;
  info(name?: string): Promise<ConsumerInfo>;
}

/** An outbox, initialised, and what it tells. Consumers are named `c` where nothing else is said. */
export async function watchedOutbox(overrides: OutboxOverrides<TestMessage> = {}): Promise<WatchedOutbox> {
  const created = await createOutbox<TestMessage>({
    ...overrides,
    options: { leaseMs: 2_000, ...overrides.options },
  });
  const { outbox, connection } = created;
  const told: Told[] = [];
  for (const event of consumerEvents)
    outbox.on(event, (payload) => {
      told.push({ event, payload } as Told);
    });
  await outbox.init();
  return {
    ...created,
    told,
    of: (event) => told.filter((each) => each.event === event).map(({ payload }) => payload as never),
    put: async (messages) => {
      for (let first = 0; first < messages.length; first += 1_000)
        await outbox.put(messages.slice(first, first + 1_000), null);
    },
    checkpoint: async (name = 'c') => {
      const stored = await connection
        .collection(`${outbox.name}.state`)
        .findOne({ _id: `checkpoint:${name}` as never }, { readPreference: 'primary', readConcern: 'majority' });
      if (stored === null) throw new Error(`no checkpoint of ${name}`);
      return {
        position: Number(stored['position']),
        epoch: Number(stored['epoch']),
        begun: stored['begun'] === null ? null : Number(stored['begun']),
        handled: (stored['handled'] as unknown[]).map(Number),
      };
    },
    failures: (name = 'c') => outbox.failures.list({ consumer: name, limit: 10_000 }),
    info: async (name = 'c') => {
      const info = (await outbox.consumers.list()).find((each) => each.name === name);
      if (info === undefined) throw new Error(`no consumer ${name}`);
      return info;
    },
  };
}

/** An order with a key. */
export const keyed = (ordernr: number, key?: string): Put<TestMessage> => ({
  type: 'order_created',
  data: { ordernr },
  ...(key === undefined ? {} : { key }),
});

/** Quick retries without anything random. */
export const quick = { initialDelayMs: 20, maxDelayMs: 40, jitter: 0 } as const;

/** Resolves when the stored checkpoint is there. */
export async function reached(watched: WatchedOutbox, position: number, name = 'c'): Promise<void> {
  await waitFor(async () => (await watched.checkpoint(name)).position === position);
}

/** Lets a second consumer handle `count` messages: time has passed, and everything could have been read. */
export async function readBeside(outbox: ServiceOutbox<TestMessage>, count: number): Promise<void> {
  let read = 0;
  const beside: Consumer = outbox.consume(`beside-${Math.random().toString(36).slice(2)}`, () => {
    read += 1;
  });
  await waitFor(() => read >= count);
  await beside.close();
}
