import type mongoose from 'mongoose';
import type { Schema } from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import { checkFieldName } from './field-name.js';
import { dropImplicitArrayDefaults, preparedClone, storedAsPut } from './prepared-schema.js';

type Mongoose = typeof mongoose;

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
  const converted = Object.entries(fields).map(([name, field]) => {
    checkFieldName(name, at);
    return [name, convertField(base, field, `${at}.${name}`)] as const;
  });
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
  const of = field['of'] === undefined ? {} : { of: convertOf(base, field['of'], `${at}.of`) };
  return { ...field, type: convertType(base, field['type'], at), ...of };
}

function convertType(base: Mongoose, type: unknown, at: string): unknown {
  if (Array.isArray(type) && type.length === 1) return [convertElement(base, type[0], `${at}[]`)];
  if (isSchema(type)) return preparedClone(base, type);
  if (isPlainObject(type) && Object.keys(type).length > 0) return schemaOf(base, type, at);
  if (typeof type === 'string') return type;
  if (typeof type === 'function') return ownType(base, type) ?? type;
  throw undeclared(at, isPlainObject(type) ? '{}' : shown(type));
}

/** A class of `Schema.Types` may come from another copy of mongoose, whose values are those of another driver. */
function ownType(base: Mongoose, type: object): unknown {
  const types = base.Schema.Types as unknown as Record<string, unknown>;
  const name = (type as { schemaName?: unknown }).schemaName;
  return typeof name === 'string' ? types[name] : undefined;
}

/** What a Map holds; or, in an array, what mongoose's Union chooses from. */
function convertOf(base: Mongoose, of: unknown, at: string): unknown {
  return Array.isArray(of) && of.length > 1
    ? of.map((choice) => convertElement(base, choice, at))
    : convertElement(base, of, at);
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

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
