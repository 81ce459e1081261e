import type { OutboxMessage } from '../../message.js';
import type { Prepared } from '../publish-in-waves.js';
import { recordBytes, type KafkaRecord } from './kafka-record.js';

/** Messages that go into one request. */
export type Portion<M extends OutboxMessage> = readonly Prepared<M, KafkaRecord>[];

/** Cuts a batch, in its order, into requests of at most so many bytes; what is larger by itself goes alone. */
export function portionsOf<M extends OutboxMessage>(batch: Portion<M>, mostBytes: number): Portion<M>[] {
  const portions: Prepared<M, KafkaRecord>[][] = [];
  let current: Prepared<M, KafkaRecord>[] = [];
  let bytes = 0;
  for (const prepared of batch) {
    const size = recordBytes(prepared.record);
    if (current.length > 0 && bytes + size > mostBytes) {
      portions.push(current);
      current = [];
      bytes = 0;
    }
    current.push(prepared);
    bytes += size;
  }
  return current.length > 0 ? [...portions, current] : portions;
}
