import type { Connection, Model } from 'mongoose';
import { OutboxError } from '../errors.js';
import { baseOf } from '../internal/base-of.js';
import type { LogEntry, OutboxMessage } from '../message.js';
import { payloadSchema } from './payload-schema.js';

/** The name of the log's model on the service's connection; one that the service will hardly use itself. */
function modelName(outbox: string): string {
  return `ServiceOutbox(${outbox})`;
}

const writes = [
  'save',
  'insertMany',
  'bulkWrite',
  'updateOne',
  'updateMany',
  'replaceOne',
  'findOneAndUpdate',
  'findOneAndReplace',
  'findOneAndDelete',
  'deleteOne',
  'deleteMany',
] as const;

/**
 * The model over the log, for queries, with one discriminator per message type; on the service's own connection. It
 * creates nothing by itself and refuses writes.
 */
export function compileLogModel<M extends OutboxMessage>(
  connection: Connection,
  outbox: string,
  schemas: Record<string, { data: unknown }>,
  cap: { sizeBytes: number; maxMessages?: number | undefined },
): Model<LogEntry<M>> {
  const base = baseOf(connection);
  const options = { autoCreate: false, autoIndex: false, versionKey: false, id: false, minimize: false } as const;
  const log = new base.Schema(
    {
      _id: Number,
      token: base.Schema.Types.ObjectId,
      created: Date,
      epoch: Number,
      bytes: base.Schema.Types.Mixed,
      id: String,
      key: String,
      headers: base.Schema.Types.Mixed,
    },
    {
      ...options,
      collection: outbox,
      discriminatorKey: 'type',
      // A service that lets mongoose create all collections of the connection must not create an uncapped log.
      capped: { size: cap.sizeBytes, ...(cap.maxMessages === undefined ? {} : { max: cap.maxMessages }) },
    },
  );
  for (const operation of writes) {
    log.pre(operation as 'save', () => {
      throw new OutboxError(
        'READ_ONLY',
        `the model of the outbox ${outbox} is for queries: ${operation} is refused; messages enter the log through put`,
      );
    });
  }
  const name = modelName(outbox);
  const model = connection.model(name, log, outbox) as unknown as Model<LogEntry<M>>;
  for (const [type, entry] of Object.entries(schemas)) {
    const data = payloadSchema(base, entry.data, `${type}.data`);
    model.discriminator(`${name}.${type}`, new base.Schema({ data }, { ...options, _id: false }) as never, {
      value: type,
    });
  }
  return model;
}

/** Takes the models off the connection, so that an outbox of the same name can be made again. */
export function removeLogModel(connection: Connection, outbox: string): void {
  const name = modelName(outbox);
  for (const model of connection.modelNames()) {
    if (model === name || model.startsWith(`${name}.`)) connection.deleteModel(model);
  }
}
