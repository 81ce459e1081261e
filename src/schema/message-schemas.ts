import type mongoose from 'mongoose';
import type { OutboxMessage } from '../message.js';

/**
 * The schemas of an outbox: one entry per message type of `Message`, each with the schema of its `data`. A missing or
 * extra type or field, a wrong field type, and a disagreement about what is required do not compile.
 *
 * How a field is written: `{ type: String, required: true }` for a required field; `String` or `{ type: String }` for
 * an optional one; `[String]` for an optional array, `{ type: [String], required: true }` for a required one; a nested
 * object as it stands (`{ street: { type: String, required: true } }`) is required, `{ type: { … } }` makes it
 * optional (one with a field named "type" can then only be a `mongoose.Schema`). A `mongoose.Schema` is accepted for
 * `data`; TypeScript cannot compare it with `Message`.
 *
 * The keys `version` and `upcast` beside `data` are reserved.
 */
export type MessageSchemas<Message extends OutboxMessage> = {
  readonly [T in Message['type']]: { readonly data: DataSchema<Extract<Message, { type: T }>['data']> };
};

/** The schema of one message type's data: a literal that mirrors its type, or a mongoose Schema. */
export type DataSchema<D> = SchemaInstance | FieldsOf<D>;

/** What of `mongoose.Schema` tells it from a literal, whichever copy of mongoose made it. */
export interface SchemaInstance {
  pathType(path: string): string;
  requiredPaths(invalidate?: boolean): string[];
}

type FieldsOf<D> = {
  readonly [K in keyof D]-?: Field<
    NonNullable<D[K]>,
    Record<never, never> extends Pick<D, K> ? true : unknown extends D[K] ? boolean : false
  >;
};

type Field<V, Optional extends boolean> = Optional extends true
  ? Bare<V> | (Options<V> & { readonly required?: false })
  : | (Options<V> & { readonly required: true | readonly [true, string] })
    | (IsPlainObject<V> extends true ? FieldsOf<V> : never);

/** A type without options: not for object literals, which are required as they stand. */
type Bare<V> = IsPlainObject<V> extends true ? SchemaInstance : BareElement<V>;

/** The same inside `[ ]` or after `of:`, where object literals may stand. A Map says what it is of; alone it holds anything. */
type BareElement<V> = [V] extends [ReadonlyMap<string, infer E>]
  ? unknown extends E
    ? FieldType<V>
    : never
  : FieldType<V>;

/** `{ type, …}` with the options of mongoose's schema types that concern `V`. */
type Options<V> = { readonly type: DeclaredType<V> } & ([V] extends [ReadonlyMap<string, infer E>]
  ? unknown extends E
    ? { readonly of?: Element<E> }
    : { readonly of: Element<E> }
  : unknown) & {
    readonly default?: V | (() => V);
    readonly enum?: readonly EnumMember<V>[] | { readonly values: readonly EnumMember<V>[]; readonly message?: string };
    readonly validate?: unknown;
    readonly min?: unknown;
    readonly max?: unknown;
    readonly minlength?: number | readonly [number, string];
    readonly maxlength?: number | readonly [number, string];
    readonly minLength?: number | readonly [number, string];
    readonly maxLength?: number | readonly [number, string];
    readonly match?: RegExp | readonly [RegExp, string];
    readonly trim?: boolean;
    readonly lowercase?: boolean;
    readonly uppercase?: boolean;
    readonly cast?: unknown;
    readonly set?: (value: never) => unknown;
    readonly ref?: unknown;
  };

/** What an `enum` may list: the values, or those of the elements. */
type EnumMember<V> = [V] extends [readonly (infer E)[]] ? E : V;

type SchemaTypes = typeof mongoose.Schema.Types;

/** What stands after `type:`. An object with a field named "type" would be read as a nested object there. */
type DeclaredType<V> =
  IsPlainObject<V> extends true ? ('type' extends keyof V ? SchemaInstance : FieldType<V>) : FieldType<V>;

/** The constructors that stand for `V`. The tuple wrapping keeps unions such as `"a" | "b"` and `boolean` whole. */
type FieldType<V> = 0 extends 1 & V
  ? unknown
  : unknown extends V
    ? SchemaTypes['Mixed'] | 'Mixed'
    : [V] extends [string]
      ? StringConstructor | SchemaTypes['String'] | 'String' | 'string'
      : [V] extends [number]
        ? | NumberConstructor
          | SchemaTypes['Number']
          | SchemaTypes['Int32']
          | SchemaTypes['Double']
          | 'Number'
          | 'number'
          | 'Int32'
          | 'Double'
        : [V] extends [boolean]
          ? BooleanConstructor | SchemaTypes['Boolean'] | 'Boolean' | 'boolean'
          : [V] extends [bigint]
            ? BigIntConstructor | SchemaTypes['BigInt'] | 'BigInt' | 'bigint'
            : [V] extends [Date]
              ? DateConstructor | SchemaTypes['Date'] | 'Date' | 'date'
              : [V] extends [Uint8Array]
                ? typeof Buffer | SchemaTypes['Buffer'] | 'Buffer' | 'buffer'
                : [V] extends [mongoose.Types.ObjectId]
                  ? SchemaTypes['ObjectId'] | typeof mongoose.Types.ObjectId | 'ObjectId'
                  : [V] extends [mongoose.Types.Decimal128]
                    ? SchemaTypes['Decimal128'] | typeof mongoose.Types.Decimal128 | 'Decimal128'
                    : [V] extends [mongoose.mongo.UUID]
                      ? SchemaTypes['UUID'] | 'UUID'
                      : [V] extends [ReadonlyMap<string, unknown>]
                        ? MapConstructor | SchemaTypes['Map'] | 'Map'
                        : [V] extends [readonly (infer E)[]]
                          ? readonly [Element<NonNullable<E>>]
                          : IsPlainObject<V> extends true
                            ? FieldsOf<V> | SchemaInstance
                            : SchemaTypes['Mixed'] | 'Mixed';

/** What stands inside `[ ]` or after `of:`. */
type Element<E> = BareElement<E> | Options<E>;

/** An object type with known keys; one with an index signature, and a union of different shapes, is `Mixed`. */
type IsPlainObject<V> = [V] extends [object]
  ? [V] extends [BuiltIn]
    ? false
    : IsUnion<V> extends true
      ? false
      : string extends keyof V
        ? false
        : [keyof V] extends [never] // `unknown`, once null and undefined are taken off
          ? false
          : true
  : false;
type BuiltIn =
  | readonly unknown[]
  | ReadonlyMap<string, unknown>
  | Date
  | Uint8Array
  | mongoose.Types.ObjectId
  | mongoose.Types.Decimal128
  | mongoose.mongo.UUID;
type IsUnion<V, W = V> = V extends unknown ? ([W] extends [V] ? false : true) : never;

/** What `define` takes: any schemas; the message type is inferred from them. */
export type AnySchemas = {
  readonly [type: string]: {
    readonly data: SchemaInstance | { readonly [field: string]: unknown };
    readonly version?: never;
    readonly upcast?: never;
  };
};

/** The message union that a set of schemas describes. */
export type MessageOf<S extends AnySchemas> = {
  [T in keyof S & string]: { type: T; data: InferData<S[T]['data']> };
}[keyof S & string];

type InferData<D> = D extends mongoose.Schema ? mongoose.InferSchemaType<D> : InferFields<D>;

type InferFields<F> = Flatten<
  { -readonly [K in keyof F as IsRequired<F[K]> extends true ? K : never]: InferField<F[K]> } & {
    -readonly [K in keyof F as IsRequired<F[K]> extends true ? never : K]?: InferField<F[K]>;
  }
>;

/** Required: said so, or a nested object as it stands (the rule of `MessageSchemas`). */
type IsRequired<F> = F extends { readonly required: true | readonly [true, string] } ? true : IsNested<F>;

type IsNested<F> = F extends
  | SchemaInstance
  | readonly unknown[]
  | string
  | ((...args: never[]) => unknown)
  | (abstract new (...args: never[]) => unknown)
  ? false
  : F extends { readonly type: infer T }
    ? T extends { readonly type: unknown }
      ? true
      : false
    : true;

type InferField<F> =
  IsNested<F> extends true
    ? InferFields<F>
    : F extends { readonly type: infer T; readonly of: infer E }
      ? T extends MapConstructor | SchemaTypes['Map'] | 'Map'
        ? Map<string, InferField<E>>
        : InferType<T>
      : F extends { readonly type: infer T; readonly enum: infer E }
        ? InferEnum<T, E>
        : F extends { readonly type: infer T }
          ? InferType<T>
          : InferType<F>;

type InferEnum<T, E> = T extends readonly [infer Element] ? InferEnum<Element, E>[] : InferMembers<T, E>;

type InferMembers<T, E> = E extends readonly (infer V)[]
  ? [V] extends [string | number]
    ? V
    : InferType<T>
  : E extends { readonly values: readonly (infer V)[] }
    ? [V] extends [string | number]
      ? V
      : InferType<T>
    : InferType<T>;

type InferType<T> = T extends StringConstructor | SchemaTypes['String'] | 'String' | 'string'
  ? string
  : T extends
        | NumberConstructor
        | SchemaTypes['Number']
        | SchemaTypes['Int32']
        | SchemaTypes['Double']
        | 'Number'
        | 'number'
        | 'Int32'
        | 'Double'
    ? number
    : T extends BooleanConstructor | SchemaTypes['Boolean'] | 'Boolean' | 'boolean'
      ? boolean
      : T extends BigIntConstructor | SchemaTypes['BigInt'] | 'BigInt' | 'bigint'
        ? bigint
        : T extends DateConstructor | SchemaTypes['Date'] | 'Date' | 'date'
          ? Date
          : T extends typeof Buffer | SchemaTypes['Buffer'] | 'Buffer' | 'buffer'
            ? Buffer
            : T extends SchemaTypes['ObjectId'] | typeof mongoose.Types.ObjectId | 'ObjectId'
              ? mongoose.Types.ObjectId
              : T extends SchemaTypes['Decimal128'] | typeof mongoose.Types.Decimal128 | 'Decimal128'
                ? mongoose.Types.Decimal128
                : T extends SchemaTypes['UUID'] | 'UUID'
                  ? mongoose.mongo.UUID
                  : T extends MapConstructor | SchemaTypes['Map'] | 'Map'
                    ? Map<string, unknown>
                    : T extends readonly [infer E]
                      ? InferField<E>[]
                      : T extends SchemaInstance
                        ? InferData<T>
                        : T extends SchemaTypes['Mixed'] | 'Mixed'
                          ? unknown
                          : T extends object
                            ? InferFields<T>
                            : unknown;

type Flatten<T> = { [K in keyof T]: T[K] };
