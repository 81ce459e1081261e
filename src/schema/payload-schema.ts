import type mongoose from 'mongoose';
import type { Schema } from 'mongoose';
import { OutboxError, shown } from '../errors.js';

type Mongoose = typeof mongoose;
/** The part of mongoose's SchemaType that its declarations leave out or differ in between versions 8 and 9. */
type AnySchemaType = mongoose.SchemaType & {
  schema?: Schema;
  default(value: unknown): unknown;
  options: Record<string, unknown>;
};

/** Nothing is stored but what was put: no `_id` in subdocuments, no dropped empty objects, unknown fields refused. */
const storedAsPut = { _id: false, id: false, versionKey: false, minimize: false, strict: 'throw' } as const;

/**
 * The mongoose Schema of a message type's data, from a literal (see `MessageSchemas` for how it is written) or from a
 * Schema, which is cloned: the caller's own stays as it was.
 */
export function payloadSchema(base: Mongoose, definition: unknown, at: string): Schema {
  try {
    return isSchema(definition) ? preparedClone(base, definition) : schemaOf(base, definition, at);
  } catch (error) {
    if (error instanceof OutboxError) throw error;
    throw new OutboxError('INVALID_SCHEMA', `mongoose refused the schema at ${at}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** By mongoose's own marker, not by `instanceof`: there may be two copies of mongoose. */
export function isSchema(value: unknown): value is Schema {
  return (
    typeof value === 'object' && value !== null && (value as { instanceOfSchema?: unknown }).instanceOfSchema === true
  );
}

function schemaOf(base: Mongoose, fields: unknown, at: string): Schema {
  if (!isPlainObject(fields)) {
    throw new OutboxError(
      'INVALID_SCHEMA',
      `the schema at ${at} must be an object of fields or a mongoose Schema: got ${shown(fields)}`,
    );
  }
  const converted = Object.entries(fields).map(
    ([name, field]) => [name, convertField(base, field, `${at}.${name}`)] as const,
  );
  const schema = new base.Schema(Object.fromEntries(converted), storedAsPut) as unknown as Schema;
  dropImplicitArrayDefaults(schema);
  return schema;
}

function convertField(base: Mongoose, field: unknown, at: string): unknown {
  if (isPlainObject(field)) {
    if (declaresType(field)) return convertDeclaration(base, field, at);
    if (Object.keys(field).length === 0) throw undeclared(at, '{}');
    return { type: schemaOf(base, field, at), required: true };
  }
  return { type: convertType(base, field, at) };
}

function convertDeclaration(base: Mongoose, field: Record<string, unknown>, at: string): Record<string, unknown> {
  const of = field['of'] === undefined ? {} : { of: convertElement(base, field['of'], `${at}.of`) };
  return { ...field, type: convertType(base, field['type'], at), ...of };
}

function convertType(base: Mongoose, type: unknown, at: string): unknown {
  if (Array.isArray(type)) return type.map((element) => convertElement(base, element, `${at}[]`));
  if (isSchema(type)) return preparedClone(base, type);
  if (isPlainObject(type)) return schemaOf(base, type, at);
  if (typeof type === 'function' || typeof type === 'string') return type;
  throw undeclared(at, shown(type));
}

function convertElement(base: Mongoose, element: unknown, at: string): unknown {
  return isPlainObject(element) && declaresType(element)
    ? convertDeclaration(base, element, at)
    : convertType(base, element, at);
}

/** mongoose's own rule: a `type` key declares the field's type unless it is itself a field named "type". */
function declaresType(field: Record<string, unknown>): boolean {
  const type = field['type'];
  return type !== undefined && !(isPlainObject(type) && type['type'] !== undefined);
}

function undeclared(at: string, got: string): OutboxError {
  return new OutboxError(
    'INVALID_SCHEMA',
    `the field ${at} declares no type: got ${got}; write a type such as String, { type: String, required: true }, or Schema.Types.Mixed for anything`,
  );
}

function preparedClone(base: Mongoose, schema: Schema): Schema {
  const clone = (schema as Schema & { _clone(constructor: unknown): Schema })._clone(base.Schema);
  for (const [option, value] of Object.entries(storedAsPut)) clone.set(option as 'strict', value);
  for (const [path, schemaType] of Object.entries(schema.paths as Record<string, AnySchemaType>)) {
    if (schemaType.schema === undefined || schemaType.instance === 'Map' || path.includes('$*')) continue;
    const inner = preparedClone(base, schemaType.schema);
    clone.path(path, {
      ...schemaType.options,
      type: schemaType.instance === 'Array' || schemaType.instance === 'DocumentArray' ? [inner] : inner,
    } as never);
  }
  dropImplicitArrayDefaults(clone);
  return clone;
}

/** mongoose gives every array a default of `[]`; what was not put must not be stored. */
function dropImplicitArrayDefaults(schema: Schema): void {
  schema.eachPath((_path, schemaType) => {
    const type = schemaType as AnySchemaType;
    if (!/Array$/.test(type.instance) || Object.hasOwn(type.options, 'default')) return;
    type.options['default'] = undefined;
    type.default(undefined);
  });
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
