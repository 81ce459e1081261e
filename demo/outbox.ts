import { type Connection, Schema } from 'mongoose';
import { ServiceOutbox, type MessageSchemas, type OutboxMessage } from 'service-outbox';
import { orderSchemas } from './order-messages.js';

/** The fields of `data` by message type, where the messages come from a file. */
export type TypesOfFile = Readonly<Record<string, readonly string[]>>;

/** Short, because the relay that is killed is the sequencer too: its successor need not wait for five seconds. */
const LEASE_MS = 1_000;

/** The same in each process. Nothing is sent before it is used. */
export function openOutbox(connection: Connection, types: TypesOfFile | undefined): ServiceOutbox<OutboxMessage> {
  const schemas: MessageSchemas<OutboxMessage> = types === undefined ? orderSchemas : anyData(types);
  return new ServiceOutbox<OutboxMessage>('DemoOutbox', schemas, { connection, leaseMs: LEASE_MS });
}

/** Schemas that take whatever the file has. */
function anyData(types: TypesOfFile): MessageSchemas<OutboxMessage> {
  return Object.fromEntries(
    Object.entries(types).map(([type, fields]) => {
      const data = Object.fromEntries(fields.map((field) => [field, { type: Schema.Types.Mixed }]));
      return [type, { data }];
    }),
  );
}
