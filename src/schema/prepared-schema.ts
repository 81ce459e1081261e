import type mongoose from 'mongoose';
import type { Schema } from 'mongoose';
import { OutboxError } from '../errors.js';
import { checkFieldName } from './field-name.js';

type Mongoose = typeof mongoose;
type Validator = { type?: string; validator?: unknown };
/** What is read of a SchemaType; versions 8 and 9 of mongoose keep an array's element type under different names. */
interface AnySchemaType {
  instance: string;
  options: Record<string, unknown>;
  schema?: Schema;
  caster?: AnySchemaType & Discriminated;
  embeddedSchemaType?: AnySchemaType;
  $__schemaType?: AnySchemaType;
  $isMongooseArray?: boolean;
  Constructor?: Discriminated;
  casterConstructor?: Discriminated;
  validators: Validator[];
  setters: unknown[];
  isRequired?: boolean;
  originalRequiredValue?: unknown;
  defaultValue?: unknown;
  default(value: unknown): unknown;
  required(value: unknown): unknown;
}
type Discriminated = { discriminators?: object | null };
type SchemaInside = Schema & {
  base: unknown;
  methods: object;
  paths: Record<string, AnySchemaType>;
  s: { hooks: { _pres: Map<string, { fn: () => unknown }[]> } };
  _clone(constructor: unknown): SchemaInside;
  _gatherChildSchemas(): unknown;
};

/** Nothing is stored but what was put: no `_id` in subdocuments, no dropped empty objects, unknown fields refused. */
export const storedAsPut = { _id: false, id: false, versionKey: false, minimize: false, strict: 'throw' } as const;

/**
 * A Schema of the service's own, and those inside it, as the outbox needs them. They are cloned: the service's stay as
 * they were. A Schema from another copy of mongoose is made anew of this copy's types, whose values are those of this
 * copy's driver.
 */
export function preparedClone(base: Mongoose, schema: Schema): Schema {
  const original = schema as SchemaInside;
  const isForeign = original._clone !== (base.Schema.prototype as unknown as SchemaInside)._clone;
  const clone = isForeign ? emptyLike(base, original) : original._clone(base.Schema);
  for (const [option, value] of Object.entries({ ...storedAsPut, typeKey: 'type' }))
    clone.set(option as 'strict', value as 'throw');
  for (const [path, type] of Object.entries(original.paths)) {
    const isMongooses = path === '_id' && type.options['auto'] === true;
    const isOfMap = path.includes('$*');
    if (!isOfMap) for (const name of path.split('.')) checkFieldName(name, 'a Schema');
    if (isMongooses || isOfMap || !(isForeign || holdsSchema(type))) continue;
    refuseDiscriminators(path, type);
    redeclare(base, clone, path, type);
  }
  clone._gatherChildSchemas();
  dropImplicitArrayDefaults(clone);
  return clone;
}

/** mongoose gives every array a default of `[]`; what was not put must not be stored. */
export function dropImplicitArrayDefaults(schema: Schema): void {
  schema.eachPath((_path, schemaType) => {
    const type = schemaType as unknown as AnySchemaType;
    if (!/Array$/.test(type.instance) || Object.hasOwn(type.options, 'default')) return;
    type.options['default'] = undefined;
    type.default(undefined);
  });
}

function emptyLike(base: Mongoose, original: SchemaInside): SchemaInside {
  const empty = new base.Schema({}, storedAsPut) as unknown as SchemaInside;
  empty.methods = { ...original.methods };
  for (const { fn } of original.s.hooks._pres.get('validate') ?? []) empty.pre('validate', fn as never);
  return empty;
}

function elementOf(type: AnySchemaType): AnySchemaType | undefined {
  return type.$__schemaType ?? type.embeddedSchemaType ?? type.caster;
}

function holdsSchema(type: AnySchemaType): boolean {
  if (type.schema !== undefined) return true;
  const element = elementOf(type);
  return element?.instance !== undefined && holdsSchema(element);
}

/** Declares a path again, with what was added to its type after it had been declared. */
function redeclare(base: Mongoose, clone: SchemaInside, path: string, type: AnySchemaType): void {
  clone.path(path, definitionOf(base, type) as never);
  const copy = clone.path(path) as unknown as AnySchemaType;
  if (type.isRequired === true && copy.isRequired !== true) copy.required(type.originalRequiredValue ?? true);
  if (type.$isMongooseArray !== true && !Object.hasOwn(type.options, 'default')) copy.defaultValue = type.defaultValue;
  copy.validators.push(...type.validators.filter((validator) => isMissing(validator, copy.validators)));
  if (copy.setters.length < type.setters.length) copy.setters = [...type.setters];
}

function isMissing({ type, validator }: Validator, among: Validator[]): boolean {
  if (type === 'required') return false;
  return !among.some((each) => each.validator === validator || (each.type === type && type !== 'user defined'));
}

function definitionOf(base: Mongoose, type: AnySchemaType): Record<string, unknown> {
  const options = { ...type.options };
  const inner = type.schema === undefined ? undefined : preparedClone(base, type.schema);
  const element = elementOf(type);
  if (type.$isMongooseArray === true)
    return { ...options, type: [inner ?? (element?.instance === undefined ? 'Mixed' : definitionOf(base, element))] };
  if (inner !== undefined) return { ...options, type: inner };
  if (type.instance === 'Map') return { ...options, type: Map, ...(element && { of: definitionOf(base, element) }) };
  return { ...options, type: type.instance };
}

function refuseDiscriminators(path: string, type: AnySchemaType): void {
  const found = [type.Constructor, type.caster, type.casterConstructor].some(
    (model) => Object.keys(model?.discriminators ?? {}).length > 0,
  );
  if (!found) return;
  throw new OutboxError(
    'INVALID_SCHEMA',
    `the Schema has embedded discriminators at ${path}, which an outbox can't check: declare a message type for each variant, or Schema.Types.Mixed with a validator`,
  );
}
