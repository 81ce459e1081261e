import type { Schema } from 'mongoose';
import { payloadSchema } from './payload-schema.js';
import type mongoose from 'mongoose';

type Revive = (value: unknown) => unknown;
/** What of a SchemaType is read here; versions 8 and 9 of mongoose keep an array's element type under different names. */
interface ReadableType {
  instance: string;
  schema?: Schema;
  caster?: ReadableType;
  embeddedSchemaType?: ReadableType;
  $embeddedSchemaType?: ReadableType;
  $__schemaType?: ReadableType;
}

/**
 * From data as the driver decodes it to data as its type says, by schema: a Map for a Map path, a Buffer for binary
 * data, a number for a Number path that another program stored as a 64-bit integer, a bigint for a BigInt path.
 * Fields and types that the schemas do not know are delivered as the driver gives them, with binary data as Buffer.
 */
export class Reviver {
  readonly #byType = new Map<string, Revive>();

  constructor(base: typeof mongoose, schemas: Record<string, { data: unknown }>) {
    for (const [type, entry] of Object.entries(schemas))
      this.#byType.set(type, reviveFields(payloadSchema(base, entry.data, `${type}.data`), ''));
  }

  data(type: string, data: unknown): unknown {
    return (this.#byType.get(type) ?? reviveUnknown)(data);
  }
}

function reviveFields(schema: Schema, prefix: string): Revive {
  const byField = new Map<string, Revive>();
  for (const [path, type] of Object.entries(schema.paths as unknown as Record<string, ReadableType>)) {
    if (!path.startsWith(prefix) || path.endsWith('.$*')) continue;
    const [field, ...rest] = path.slice(prefix.length).split('.');
    if (field === undefined || byField.has(field)) continue;
    byField.set(field, rest.length > 0 ? reviveFields(schema, `${prefix}${field}.`) : reviveType(type));
  }
  return (value) => {
    if (!isDocument(value)) return reviveUnknown(value);
    for (const field in value) value[field] = (byField.get(field) ?? reviveUnknown)(value[field]);
    return value;
  };
}

function reviveType(type: ReadableType): Revive {
  if (type.instance === 'Map') return reviveMap(type.$__schemaType);
  if (type.schema !== undefined) return orArray(reviveFields(type.schema, ''));
  switch (type.instance) {
    case 'Array': {
      const element = type.embeddedSchemaType ?? type.$embeddedSchemaType ?? type.caster;
      return orArray(element?.instance === undefined ? reviveUnknown : reviveType(element));
    }
    case 'Number':
    case 'Int32':
    case 'Double':
      return (value) => (isLong(value) ? value.toNumber() : value);
    case 'BigInt':
      return (value) => (isLong(value) ? value.toBigInt() : Number.isInteger(value) ? BigInt(value as number) : value);
    default:
      return reviveUnknown;
  }
}

function reviveMap(element: ReadableType | undefined): Revive {
  const revive = element === undefined ? reviveUnknown : reviveType(element);
  return (value) =>
    isDocument(value) ? new Map(Object.entries(value).map(([key, inner]) => [key, revive(inner)])) : value;
}

function orArray(revive: Revive): Revive {
  const self: Revive = (value) => (Array.isArray(value) ? value.map(self) : revive(value));
  return self;
}

/**
 * Binary data of subtype 0 is what a Buffer is stored as, and most regular expressions are JavaScript's; every other BSON
 * type stays the driver's own class.
 */
function reviveUnknown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reviveUnknown);
  if (isLong(value)) return value.toBigInt();
  const bson = value as { _bsontype?: string; sub_type?: number; buffer?: Uint8Array; position?: number };
  if (bson._bsontype === 'Binary' && bson.sub_type === 0 && bson.buffer !== undefined) {
    return Buffer.from(bson.buffer.buffer, bson.buffer.byteOffset, bson.position);
  }
  if (bson._bsontype === 'BSONRegExp') return toRegExp(value as { pattern: string; options: string });
  if (isDocument(value)) for (const field in value) value[field] = reviveUnknown(value[field]);
  return value;
}

/** Timestamp is a Long with another `_bsontype`. */
function isLong(value: unknown): value is { toNumber(): number; toBigInt(): bigint } {
  return (value as { _bsontype?: string } | null | undefined)?._bsontype === 'Long';
}

function isDocument(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The driver stores the flag g as s. A pattern or option that JavaScript does not know stays the driver's BSONRegExp. */
function toRegExp(stored: { pattern: string; options: string }): unknown {
  try {
    return /[^ims]/.test(stored.options) ? stored : new RegExp(stored.pattern, stored.options.replace('s', 'g'));
  } catch {
    return stored;
  }
}
