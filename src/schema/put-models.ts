import type mongoose from 'mongoose';
import type { Model, Schema } from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import { compileExactCopy, notExact } from './exact-copy.js';
import { isPlainObject, payloadSchema } from './payload-schema.js';
import { redact } from './redact.js';
import { findUnknownField } from './unknown-field.js';
import { findUnstorable } from './unstorable.js';

type Mongoose = typeof mongoose;

interface PutModel {
  model: Model<unknown>;
  data: Schema;
  hasNestedPaths: boolean;
  exactCopy: ((data: unknown) => unknown) | undefined;
}

/**
 * The models that validate and cast what is put: one discriminator per message type over `<name>.pending`.
 *
 * They are compiled on a Mongoose instance of their own, so that the service's global plugins (a required `tenantId`,
 * say) do not change what a message is. They never touch a connection.
 */
export class PutModels {
  readonly #models = new Map<string, PutModel>();
  readonly #base: Mongoose;

  constructor(base: Mongoose, outbox: string, schemas: Record<string, { data: unknown }>) {
    this.#base = base;
    const isolated = new base.Mongoose({ autoCreate: false, autoIndex: false });
    const pending = isolated.model(
      `${outbox}.pending`,
      new isolated.Schema(
        {},
        {
          discriminatorKey: 'type',
          autoCreate: false,
          autoIndex: false,
          strict: 'throw',
          minimize: false,
          versionKey: false,
          id: false,
          _id: false,
        },
      ),
    );
    for (const [type, entry] of Object.entries(schemas)) {
      const data = payloadSchema(isolated, entry.data, `${type}.data`);
      const schema = new isolated.Schema(
        { data: { type: data, required: true } },
        { strict: 'throw', minimize: false, id: false, _id: false },
      );
      const model = pending.discriminator(`${outbox}.pending.${type}`, schema as never, {
        value: type,
        clone: false,
      }) as unknown as Model<unknown>;
      this.#models.set(type, {
        model,
        data,
        hasNestedPaths: hasNestedPaths(data),
        exactCopy: compileExactCopy(entry.data, data),
      });
    }
  }

  get types(): readonly string[] {
    return [...this.#models.keys()];
  }

  /**
   * The data as it is to be stored: validated and cast by the schema of its type, nothing added but explicit defaults.
   * @throws mongoose's ValidationError for schema violations, without payload values; `UNKNOWN_TYPE`; `INVALID_MESSAGE`
   * for unknown fields, and for `undefined` and what else BSON can't hold.
   */
  async cast(type: string, data: object): Promise<object> {
    const entry = this.#models.get(type);
    if (entry === undefined) {
      throw new OutboxError(
        'UNKNOWN_TYPE',
        `no schema for message type ${shown(type)}: this outbox declares ${this.types.map(shown).join(', ')}`,
      );
    }
    const copy = entry.exactCopy?.(data) ?? notExact;
    if (copy !== notExact) return copy;
    const unstorable = findUnstorable(data, 'data');
    if (unstorable !== undefined) {
      throw new OutboxError(
        'INVALID_MESSAGE',
        `${unstorable.path} is ${unstorable.what} in a message of type ${shown(type)}, which can't be stored: leave the field out, or put null where its schema allows it`,
      );
    }
    let stored: { data: object };
    try {
      const document = new entry.model({ data });
      await document.validate();
      stored = (document as unknown as { toBSON(): { data: object } }).toBSON();
    } catch (error) {
      throw redact(this.#base, error, type, () => findUnknownField(entry.data, data, 'data'));
    }
    if (entry.hasNestedPaths) dropEmptyNested(entry.data, data, stored.data as Record<string, unknown>, '');
    return stored.data;
  }
}

type SchemaInside = { schema?: Schema };

/** Nested paths occur only in Schema instances; literals are compiled to subdocuments. */
function hasNestedPaths(schema: Schema): boolean {
  if (Object.keys((schema as Schema & { nested: object }).nested).length > 0) return true;
  return Object.values(schema.paths).some(
    (type) => (type as SchemaInside).schema !== undefined && hasNestedPaths((type as SchemaInside).schema as Schema),
  );
}

/** mongoose adds `{}` for a nested path that was not put; an empty object that was put stays. */
function dropEmptyNested(schema: Schema, put: unknown, stored: Record<string, unknown>, prefix: string): void {
  const source = isPlainObject(put) ? put : {};
  for (const [key, value] of Object.entries(stored)) {
    const path = prefix + key;
    if ((schema as Schema & { nested: Record<string, boolean> }).nested[path] === true && isPlainObject(value)) {
      dropEmptyNested(schema, source[key], value, `${path}.`);
      if (Object.keys(value).length === 0 && !(key in source)) delete stored[key];
      continue;
    }
    const inner = (schema.paths[path] as SchemaInside | undefined)?.schema;
    if (inner === undefined) continue;
    if (Array.isArray(value))
      value.forEach(
        (element, index) =>
          isPlainObject(element) &&
          dropEmptyNested(inner, (source[key] as unknown[] | undefined)?.[index], element, ''),
      );
    else if (isPlainObject(value)) dropEmptyNested(inner, source[key], value, '');
  }
}
