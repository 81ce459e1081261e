import type { Delivered, OutboxMessage } from '../../src/index.js';

/** A message as a relay hands it to a publisher. */
export function delivered(changes: Partial<Delivered<OutboxMessage>> = {}): Delivered<OutboxMessage> {
  return {
    type: 'order_created',
    data: { ordernr: 7 },
    id: 'id-1',
    position: 1,
    created: new Date('2026-01-02T03:04:05.678Z'),
    headers: {},
    ...changes,
  };
}
