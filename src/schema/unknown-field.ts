import type { Schema } from 'mongoose';
import { isPlainObject } from './payload-schema.js';

/** What of a SchemaType is read here; versions 8 and 9 of mongoose keep an array's element type under different names. */
interface ReadableType {
  schema?: Schema;
  caster?: ReadableType;
  embeddedSchemaType?: ReadableType;
  $__schemaType?: ReadableType;
}

/** The whole path of the first field that the schema does not know; mongoose's own error has only its last steps. */
export function findUnknownField(schema: Schema, data: unknown, at: string, prefix = ''): string | undefined {
  if (!isPlainObject(data)) return undefined;
  return firstOf(Object.entries(data), (name, value) => {
    const path = prefix + name;
    switch (schema.pathType(path)) {
      case 'adhocOrUndefined':
        return `${at}.${name}`;
      case 'nested':
        return findUnknownField(schema, value, `${at}.${name}`, `${path}.`);
      case 'real':
        return inValue(schema.path(path), value, `${at}.${name}`);
      default:
        return undefined;
    }
  });
}

function inValue(type: ReadableType | undefined, value: unknown, at: string): string | undefined {
  if (Array.isArray(value)) {
    const element = type?.schema === undefined ? (type?.embeddedSchemaType ?? type?.caster) : type;
    return firstOf(value.entries(), (index, each) => inValue(element, each, `${at}.${index}`));
  }
  if (type?.$__schemaType !== undefined) {
    const entries = value instanceof Map ? (value as Map<string, unknown>) : Object.entries(value ?? {});
    return firstOf(entries, (key, each) => inValue(type.$__schemaType, each, `${at}.${key}`));
  }
  return type?.schema === undefined ? undefined : findUnknownField(type.schema, value, at);
}

function firstOf<K, V>(entries: Iterable<[K, V]>, look: (key: K, value: V) => string | undefined): string | undefined {
  for (const [key, value] of entries) {
    const found = look(key, value);
    if (found !== undefined) return found;
  }
  return undefined;
}
