import type { ConsumerOptions } from '../../../src/index.js';
import type { FaultType } from './messages.js';

interface ConsumerPlan {
  readonly kind: 'handler' | 'relay' | 'transactional';
  /** By `drain` instead of a running consumer. */
  readonly drained?: true;
  readonly options: ConsumerOptions<FaultType> & { batchSize: number; order: 'key' | 'strict' };
}

/** Deaths of processes count attempts too, so that there must be more of them than kills in a row. */
const retry = { maxAttempts: 15, initialDelayMs: 50, maxDelayMs: 1_000 } as const;

/** The consumers of a fault run, each with its own guarantees. */
export const CONSUMERS = {
  keyed: { kind: 'handler', options: { order: 'key', batchSize: 50, concurrency: 8, retry } },
  strict: { kind: 'handler', options: { order: 'strict', batchSize: 20, retry } },
  relay: { kind: 'relay', options: { order: 'key', batchSize: 100, retry } },
  // A larger backlog goes in halves: one is under way while the checkpoint of the other is stored.
  wide: { kind: 'relay', options: { order: 'key', batchSize: 600, retry } },
  projection: {
    kind: 'transactional',
    options: { order: 'key', batchSize: 50, retry, transactional: true, types: ['order_cancelled'] },
  },
  drained: { kind: 'handler', drained: true, options: { order: 'key', batchSize: 50, concurrency: 4, retry } },
} as const satisfies Record<string, ConsumerPlan>;

export type ConsumerName = keyof typeof CONSUMERS;
