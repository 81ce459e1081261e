import type { Schema } from 'mongoose';

import { isPlainObject, isSchema } from './payload-schema.js';

/** Says that a value must go through mongoose: to be cast, to get a default, to be refused. */
export const notExact: unique symbol = Symbol('notExact');

/** A type that only mongoose can decide on. */
class NotSpokenFor extends Error {}

type Copy = (value: unknown) => unknown;
type Validator = { type?: string; validator?: (value: unknown) => unknown };
/** What of a SchemaType is read here; versions 8 and 9 of mongoose keep an array's element type under different names. */
interface ReadableType {
  instance: string;
  schema?: Schema;
  options: Record<string, unknown>;
  validators: readonly Validator[];
  setters: readonly unknown[];
  isRequired?: boolean;
  checkRequired?: (value: unknown) => boolean;
  caster?: ReadableType;
  embeddedSchemaType?: ReadableType;
}

/** mongoose's own validators; they look at nothing but the value. */
const builtIn = new Set(['required', 'enum', 'min', 'max', 'minlength', 'maxlength', 'regexp']);

/** Copies of values that mongoose would store as they are. */
const exactTypes: Record<string, Copy> = {
  String: (value) => (typeof value === 'string' ? value : notExact),
  Number: (value) => (typeof value === 'number' && Number.isFinite(value) ? value : notExact),
  Boolean: (value) => (typeof value === 'boolean' ? value : notExact),
  Date: (value) => (value instanceof Date && !Number.isNaN(value.getTime()) ? new Date(value) : notExact),
};

/**
 * A fast way to the answer that mongoose would give for valid data, without its documents (docs/adr/0002): the function
 * returns a copy of data that has exactly the declared types and passes mongoose's own validators, fields in the order of
 * the schema, or `notExact` for everything else, valid or not, which mongoose then decides on. Undefined for schemas that it
 * can't speak for: those with Schema instances, validators or setters of the service's own, or rarer types.
 */
export function compileExactCopy(definition: unknown, schema: Schema): Copy | undefined {
  if (holdsSchemaInstance(definition)) return undefined;
  try {
    return copyFields(schema);
  } catch (error) {
    if (error instanceof NotSpokenFor) return undefined;
    throw error;
  }
}

function holdsSchemaInstance(definition: unknown): boolean {
  if (isSchema(definition)) return true;
  if (Array.isArray(definition)) return definition.some(holdsSchemaInstance);
  return isPlainObject(definition) && Object.values(definition).some(holdsSchemaInstance);
}

function copyFields(schema: Schema): Copy {
  const fields = Object.entries(schema.paths as unknown as Record<string, ReadableType>).map(
    ([name, type]) => [name, copyType(type), type.isRequired === true, type.options['default'] !== undefined] as const,
  );
  return (value) => {
    if (!isPlainObject(value)) return notExact;
    const copy: Record<string, unknown> = {};
    let missing = Object.keys(value).length;
    for (const [name, copyField, required, hasDefault] of fields) {
      if (!Object.hasOwn(value, name)) {
        if (required || hasDefault) return notExact;
        continue;
      }
      const field = copyField(value[name]);
      if (field === notExact) return notExact;
      copy[name] = field;
      missing -= 1;
    }
    return missing === 0 ? copy : notExact;
  };
}

/** @throws NotSpokenFor */
function copyType(type: ReadableType): Copy {
  const ownCast = type.options['cast'] !== undefined;
  if (ownCast || type.setters.length > 0 || type.validators.some(({ type: kind }) => !builtIn.has(kind ?? ''))) {
    throw new NotSpokenFor();
  }
  const checks = type.validators.flatMap(({ type: kind, validator }) =>
    kind !== 'required' && validator !== undefined ? [validator] : [],
  );
  if (type.isRequired === true && !isPlainlyRequired(type.options['required'])) throw new NotSpokenFor();
  const copy = copyValue(type);
  return (value) => {
    const result = copy(value);
    if (result === notExact) return notExact;
    if (type.isRequired === true && !type.checkRequired?.(value)) return notExact; // a length of 0, with ""
    return checks.every((check) => Boolean(check(value))) ? result : notExact;
  };
}

/** `true` or `[true, text]`; a function would look at the document. */
function isPlainlyRequired(required: unknown): boolean {
  return required === true || (Array.isArray(required) && required[0] === true);
}

function copyValue(type: ReadableType): Copy {
  const exact = exactTypes[type.instance];
  if (exact !== undefined) return exact;
  switch (type.instance) {
    case 'ObjectId':
    case 'Decimal128':
      return (value) => ((value as { _bsontype?: string } | null)?._bsontype === type.instance ? value : notExact);
    case 'Embedded':
      return copyFields(type.schema as Schema);
    case 'Array':
    case 'DocumentArray':
      return copyElements(type);
    default:
      throw new NotSpokenFor();
  }
}

function copyElements(type: ReadableType): Copy {
  const element = type.embeddedSchemaType ?? type.caster;
  const copy =
    type.schema !== undefined
      ? copyFields(type.schema)
      : element?.instance === undefined
        ? undefined
        : copyType(element);
  if (copy === undefined) throw new NotSpokenFor();
  return (value) => {
    if (!Array.isArray(value)) return notExact;
    const copies: unknown[] = [];
    for (const each of value) {
      const result = copy(each);
      if (result === notExact) return notExact;
      copies.push(result);
    }
    return copies;
  };
}
