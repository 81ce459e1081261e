import mongoose, { Schema, type Types } from 'mongoose';
import { describe, it } from 'vitest';

import { ServiceOutbox, type MessageSchemas } from '../../src/index.js';

const { Types: S } = Schema;

/** Compiles with a schema that fits data of the type `D`, and with no other. */
declare function fits<D extends object>(data: MessageSchemas<{ type: 't'; data: D }>['t']['data']): void;

// Short names: a @ts-expect-error looks at one line only.
const str = { type: String, required: true } as const;
const num = { type: Number, required: true } as const;
const date = { type: Date, required: true } as const;

describe('message types', () => {
  type Order = { type: 'created'; data: { nr: number; note?: string } } | { type: 'shipped'; data: { at: Date } };
  const created = { data: { nr: num, note: String } } as const;
  const shipped = { data: { at: date } } as const;

  it('must each have a schema, and no others may', () => {
    new ServiceOutbox<Order>('X', { created, shipped });
    // @ts-expect-error a type is missing
    new ServiceOutbox<Order>('X', { created });
    // @ts-expect-error a type is too many
    new ServiceOutbox<Order>('X', { created, shipped, lost: created });
    // @ts-expect-error no type at all
    new ServiceOutbox<Order>('X', {});
    // @ts-expect-error the schema of another type
    new ServiceOutbox<Order>('X', { created, shipped: created });
    // @ts-expect-error no schemas
    new ServiceOutbox<Order>('X');
  });

  it('have nothing but data: version and upcast are reserved', () => {
    // @ts-expect-error data is missing
    new ServiceOutbox<Order>('X', { created: {}, shipped });
    // @ts-expect-error reserved
    new ServiceOutbox<Order>('X', { created: { data: { nr: num, note: String }, version: 2 }, shipped });
    // @ts-expect-error reserved
    new ServiceOutbox<Order>('X', { created: { data: { nr: num, note: String }, upcast: () => 1 }, shipped });
    // @ts-expect-error unknown
    new ServiceOutbox<Order>('X', { created: { data: { nr: num, note: String }, key: 'nr' }, shipped });
  });

  it('may be one alone, without data, or with id, key and headers of its own', () => {
    type Ping = { type: 'ping'; data: Record<never, never> };
    type Keyed = { type: 'a'; data: { n?: number }; key: string; headers: { h: string } };
    new ServiceOutbox<Ping>('X', { ping: { data: {} } });
    new ServiceOutbox<Keyed>('X', { a: { data: { n: Number } } });
  });
});

describe('fields', () => {
  type One = { a: string; b?: number };

  it('must all be there, and no others', () => {
    fits<One>({ a: str, b: Number });
    // @ts-expect-error the optional field is missing
    fits<One>({ a: str });
    // @ts-expect-error the required field is missing
    fits<One>({ b: Number });
    // @ts-expect-error a field is too many
    fits<One>({ a: str, b: Number, c: String });
    // @ts-expect-error a field without a type
    fits<One>({ a: str, b: {} });
    // @ts-expect-error a field that is undefined
    fits<One>({ a: str, b: undefined });
  });

  it('must agree on what is required', () => {
    fits<One>({ a: { type: String, required: [true, 'a is needed'] }, b: { type: Number } });
    fits<One>({ a: { type: String, required: true }, b: { type: Number, required: false } });
    // @ts-expect-error a bare constructor is optional
    fits<One>({ a: String, b: Number });
    // @ts-expect-error without required it is optional
    fits<One>({ a: { type: String }, b: Number });
    // @ts-expect-error required: false
    fits<One>({ a: { type: String, required: false }, b: Number });
    // @ts-expect-error required: [false, text]
    fits<One>({ a: { type: String, required: [false, 'no'] }, b: Number });
    // @ts-expect-error who knows when a function says so
    fits<One>({ a: { type: String, required: () => true }, b: Number });
    // @ts-expect-error b is optional in the message
    fits<One>({ a: str, b: num });
    // @ts-expect-error b is optional in the message
    fits<One>({ a: str, b: { type: Number, required: [true, 'b is needed'] } });
  });

  it('may be optional by undefined, which put refuses', () => {
    fits<{ a: string | undefined }>({ a: str });
    fits<{ a?: string | undefined }>({ a: String });
    fits<{ a?: string | null }>({ a: String });
  });

  it('may have the type of the message in each of its forms', () => {
    fits<{ v?: string }>({ v: String });
    fits<{ v?: string }>({ v: S.String });
    fits<{ v?: string }>({ v: 'String' });
    fits<{ v?: string }>({ v: { type: S.String } });
    fits<{ v?: number }>({ v: Number });
    fits<{ v?: number }>({ v: S.Number });
    fits<{ v?: number }>({ v: S.Int32 });
    fits<{ v?: number }>({ v: S.Double });
    fits<{ v?: boolean }>({ v: Boolean });
    fits<{ v?: boolean }>({ v: S.Boolean });
    fits<{ v?: Date }>({ v: Date });
    fits<{ v?: Date }>({ v: S.Date });
    fits<{ v?: bigint }>({ v: BigInt });
    fits<{ v?: bigint }>({ v: S.BigInt });
    fits<{ v?: Buffer }>({ v: Buffer });
    fits<{ v?: Buffer }>({ v: S.Buffer });
    fits<{ v?: Uint8Array }>({ v: Buffer });
    fits<{ v?: Types.ObjectId }>({ v: S.ObjectId });
    fits<{ v?: Types.ObjectId }>({ v: mongoose.Types.ObjectId });
    fits<{ v?: Types.ObjectId }>({ v: 'ObjectId' });
    fits<{ v?: Types.Decimal128 }>({ v: S.Decimal128 });
    fits<{ v?: Types.Decimal128 }>({ v: mongoose.Types.Decimal128 });
    fits<{ v?: mongoose.mongo.UUID }>({ v: S.UUID });
    fits<{ v?: unknown }>({ v: S.Mixed });
    fits<{ v: unknown }>({ v: S.Mixed });
    fits<{ v: unknown }>({ v: { type: S.Mixed, required: true } });
    fits<{ v?: Record<string, number> }>({ v: S.Mixed });
    fits<{ v?: { a: 1 } | { b: 2 } }>({ v: S.Mixed });
    fits<{ v?: string | number }>({ v: S.Mixed });
  });

  it('may have no other type', () => {
    // @ts-expect-error a number for a string
    fits<{ v?: string }>({ v: Number });
    // @ts-expect-error a string for a number
    fits<{ v?: number }>({ v: String });
    // @ts-expect-error a bigint for a number
    fits<{ v?: number }>({ v: BigInt });
    // @ts-expect-error a number for a bigint
    fits<{ v?: bigint }>({ v: Number });
    // @ts-expect-error a string for a boolean
    fits<{ v?: boolean }>({ v: String });
    // @ts-expect-error a number for a Date
    fits<{ v?: Date }>({ v: Number });
    // @ts-expect-error a Date for a string
    fits<{ v?: string }>({ v: Date });
    // @ts-expect-error a string for a Buffer
    fits<{ v?: Buffer }>({ v: String });
    // @ts-expect-error a Buffer for a UUID
    fits<{ v?: mongoose.mongo.UUID }>({ v: Buffer });
    // @ts-expect-error a string for an ObjectId
    fits<{ v?: Types.ObjectId }>({ v: String });
    // @ts-expect-error a Decimal128 for an ObjectId
    fits<{ v?: Types.ObjectId }>({ v: S.Decimal128 });
    // @ts-expect-error an ObjectId for a Decimal128
    fits<{ v?: Types.Decimal128 }>({ v: S.ObjectId });
    // @ts-expect-error a number for a Decimal128
    fits<{ v?: Types.Decimal128 }>({ v: Number });
    // @ts-expect-error an array for one value
    fits<{ v?: string }>({ v: [String] });
    // @ts-expect-error Mixed would take anything
    fits<{ v?: string }>({ v: S.Mixed });
    // @ts-expect-error Mixed would take anything
    fits<{ v?: { a: string } }>({ v: S.Mixed });
    // @ts-expect-error an object for a string
    fits<{ v?: string }>({ v: { a: String } });
    // @ts-expect-error also in a declaration
    fits<{ v?: string }>({ v: { type: Number } });
    // @ts-expect-error by name, too
    fits<{ v?: string }>({ v: 'Number' });
    // @ts-expect-error the constructor of something else
    fits<{ v?: string }>({ v: Error });
    // @ts-expect-error a string for anything
    fits<{ v: unknown }>({ v: String });
    // @ts-expect-error a string alone for what may be a number
    fits<{ v?: string | number }>({ v: String });
  });

  it("take mongoose's options that concern what is put", () => {
    fits<{ v: string }>({ v: { ...str, minlength: 1, maxlength: [9, 'long'], match: /x/, trim: true, default: 'x' } });
    fits<{ v?: number }>({ v: { type: Number, min: 1, max: [9, 'much'], default: () => 5 } });
    fits<{ v?: number }>({ v: { type: Number, validate: (value: number) => value > 0 } });
    fits<{ v?: number }>({ v: { type: Number, validate: { validator: async () => true, message: 'no' } } });
    fits<{ v?: Date }>({ v: { type: Date, min: new Date(0), default: () => new Date() } });
    fits<{ v?: string[] }>({ v: { type: [String], default: ['x'] } });
    // @ts-expect-error a default of another type
    fits<{ v?: string }>({ v: { type: String, default: 5 } });
    // @ts-expect-error an option that mongoose does not have
    fits<{ v?: string }>({ v: { type: String, requird: true } });
  });
});

describe('unions of literals', () => {
  it('take their type, with or without an enum of their members', () => {
    fits<{ v?: 'a' | 'b' }>({ v: String });
    fits<{ v: 'a' | 'b' }>({ v: { ...str, enum: ['a', 'b'] } });
    fits<{ v?: 'a' | 'b' }>({ v: { type: String, enum: ['a'] } });
    fits<{ v?: 'a' | 'b' }>({ v: { type: String, enum: { values: ['a', 'b'], message: 'no' } } });
    fits<{ v?: 1 | 2 }>({ v: { type: Number, enum: [1, 2] } });
    fits<{ v?: ('a' | 'b')[] }>({ v: [{ type: String, enum: ['a', 'b'] }] });
    fits<{ v?: ('a' | 'b')[] }>({ v: { type: [String], enum: ['a', 'b'] } });
    fits<{ v?: string }>({ v: { type: String, enum: ['a', 'b'] } });
    fits<{ v?: boolean }>({ v: Boolean });
  });

  it('take no enum with another member', () => {
    // @ts-expect-error c is none
    fits<{ v: 'a' | 'b' }>({ v: { ...str, enum: ['a', 'b', 'c'] } });
    // @ts-expect-error c is none
    fits<{ v?: 'a' | 'b' }>({ v: { type: String, enum: { values: ['a', 'c'] } } });
    // @ts-expect-error 3 is none
    fits<{ v?: 1 | 2 }>({ v: { type: Number, enum: [1, 2, 3] } });
    // @ts-expect-error c is none, of an element either
    fits<{ v?: ('a' | 'b')[] }>({ v: [{ type: String, enum: ['c'] }] });
    // @ts-expect-error c is none, of an element either
    fits<{ v?: ('a' | 'b')[] }>({ v: { type: [String], enum: ['c'] } });
    // @ts-expect-error 1 is no string
    fits<{ v?: string }>({ v: { type: String, enum: [1] } });
  });
});

describe('objects', () => {
  type Nested = { o: { a: string; p: { b?: number } } };
  type Optional = { q?: { c: Date } };

  it('are required as they stand, and optional as a type', () => {
    fits<Nested>({ o: { a: str, p: { b: Number } } });
    fits<Nested>({ o: { type: { a: str, p: { b: Number } }, required: true } });
    fits<Optional>({ q: { type: { c: date } } });
    fits<Optional>({ q: { type: { c: date }, required: false } });
    // @ts-expect-error q is optional
    fits<Optional>({ q: { c: date } });
    // @ts-expect-error q is optional
    fits<Optional>({ q: { type: { c: date }, required: true } });
    // @ts-expect-error o is required
    fits<Nested>({ o: { type: { a: str, p: { b: Number } } } });
  });

  it('must agree field by field, at any depth', () => {
    // @ts-expect-error a field is missing
    fits<Nested>({ o: { a: str } });
    // @ts-expect-error a field is too many
    fits<Nested>({ o: { a: str, p: { b: Number, c: Number } } });
    // @ts-expect-error a field has another type
    fits<Nested>({ o: { a: str, p: { b: String } } });
    // @ts-expect-error a field is not required
    fits<Nested>({ o: { a: String, p: { b: Number } } });
    // @ts-expect-error a field is required
    fits<Nested>({ o: { a: str, p: { b: num } } });
    // @ts-expect-error a string for an object
    fits<Nested>({ o: str });
    // @ts-expect-error also in an optional object
    fits<Optional>({ q: { type: { c: Date } } });
    // @ts-expect-error also in an optional object
    fits<Optional>({ q: { type: { c: date, d: date } } });
  });

  it('may have a field named type', () => {
    fits<{ o: { type: string; a: number } }>({ o: { type: str, a: num } });
    fits<{ type: string }>({ type: str });
    // @ts-expect-error the field named type has another type
    fits<{ o: { type: string; a: number } }>({ o: { type: num, a: num } });
    // @ts-expect-error the field named type is missing
    fits<{ o: { type: string; a: number } }>({ o: { a: num } });
    // Optional, it can only be a Schema: as a type it would be read as a nested object, as mongoose reads it.
    fits<{ o?: { type: string } }>({ o: new Schema({ type: str }) });
    // @ts-expect-error would be read as a required object
    fits<{ o?: { type: string } }>({ o: { type: { type: str } } });
    fits<{ l?: { type: string }[] }>({ l: [{ type: str }] });
  });

  it('may be interfaces, and readonly', () => {
    interface Address {
      readonly street: string;
      zip?: string;
    }
    fits<{ readonly a: Address }>({ a: { street: str, zip: String } });
    // @ts-expect-error zip is missing
    fits<{ readonly a: Address }>({ a: { street: str } });
  });
});

describe('arrays', () => {
  it('are optional as they stand, and required as a type', () => {
    fits<{ v?: string[] }>({ v: [String] });
    fits<{ v?: readonly string[] }>({ v: [String] });
    fits<{ v?: string[] }>({ v: { type: [String] } });
    fits<{ v?: string[] }>({ v: [{ type: String, minlength: 1 }] });
    fits<{ v: string[] }>({ v: { type: [String], required: true } });
    fits<{ v?: number[][] }>({ v: [[Number]] });
    // @ts-expect-error a bare array is optional
    fits<{ v: string[] }>({ v: [String] });
    // @ts-expect-error required in the schema only
    fits<{ v?: string[] }>({ v: { type: [String], required: true } });
  });

  it('have the element type of the message', () => {
    // @ts-expect-error another element type
    fits<{ v?: string[] }>({ v: [Number] });
    // @ts-expect-error another element type, in a declaration
    fits<{ v?: string[] }>({ v: [{ type: Number }] });
    // @ts-expect-error no array
    fits<{ v?: string[] }>({ v: String });
    // @ts-expect-error undeclared elements
    fits<{ v?: string[] }>({ v: [] });
    // @ts-expect-error two element types
    fits<{ v?: string[] }>({ v: [String, String] });
    // @ts-expect-error one level too few
    fits<{ v?: number[][] }>({ v: [Number] });
    // @ts-expect-error one level too many
    fits<{ v?: number[] }>({ v: [[Number]] });
  });

  it('of objects must agree field by field', () => {
    type Lines = { lines: { sku: string; count?: number }[] };
    fits<Lines>({ lines: { type: [{ sku: str, count: Number }], required: true } });
    // @ts-expect-error a field has another type
    fits<Lines>({ lines: { type: [{ sku: num, count: Number }], required: true } });
    // @ts-expect-error a field is not required
    fits<Lines>({ lines: { type: [{ sku: String, count: Number }], required: true } });
    // @ts-expect-error a field is missing
    fits<Lines>({ lines: { type: [{ sku: str }], required: true } });
    // @ts-expect-error a field is too many
    fits<Lines>({ lines: { type: [{ sku: str, count: Number, x: Number }], required: true } });
  });
});

describe('Maps', () => {
  it('say what they are of', () => {
    fits<{ m?: Map<string, number> }>({ m: { type: Map, of: Number } });
    fits<{ m?: Map<string, number> }>({ m: { type: S.Map, of: { type: Number, min: 1 } } });
    fits<{ m: Map<string, number> }>({ m: { type: Map, of: Number, required: true } });
    fits<{ m?: Map<string, Date[]> }>({ m: { type: Map, of: [Date] } });
    fits<{ m?: Map<string, { a: string }> }>({ m: { type: Map, of: { a: str } } });
    fits<{ m?: Map<string, Map<string, Date>> }>({ m: { type: Map, of: { type: Map, of: Date } } });
    fits<{ m?: Map<string, unknown> }>({ m: { type: Map, of: S.Mixed } });
    fits<{ m?: Map<string, unknown> }>({ m: Map });
    fits<{ l?: Map<string, number>[] }>({ l: [{ type: Map, of: Number }] });
    // @ts-expect-error of anything, in an array
    fits<{ l?: Map<string, number>[] }>({ l: [Map] });
    // @ts-expect-error of something else
    fits<{ m?: Map<string, number> }>({ m: { type: Map, of: String } });
    // @ts-expect-error of anything
    fits<{ m?: Map<string, number> }>({ m: { type: Map } });
    // @ts-expect-error of anything
    fits<{ m?: Map<string, number> }>({ m: Map });
    // @ts-expect-error no Map
    fits<{ m?: Map<string, number> }>({ m: { type: [Number], of: Number } });
    // @ts-expect-error not required
    fits<{ m: Map<string, number> }>({ m: { type: Map, of: Number } });
    // @ts-expect-error of objects with another field
    fits<{ m?: Map<string, { a: string }> }>({ m: { type: Map, of: { b: str } } });
    // @ts-expect-error of objects with a field that is not required
    fits<{ m?: Map<string, { a: string }> }>({ m: { type: Map, of: { a: String } } });
  });
});

describe('a mongoose Schema', () => {
  const inner = new Schema({ a: String });

  it('is accepted for data, for objects, and for what arrays and Maps hold; it is not compared', () => {
    fits<{ anything: string }>(inner);
    fits<{ o: { a: string } }>({ o: { type: inner, required: true } });
    fits<{ o?: { a: string } }>({ o: inner });
    fits<{ o?: { a: string } }>({ o: { type: inner } });
    fits<{ l?: { a: string }[] }>({ l: [inner] });
    fits<{ l: { a: string }[] }>({ l: { type: [inner], required: true } });
    fits<{ m?: Map<string, { a: string }> }>({ m: { type: Map, of: inner } });
  });

  it('alone is optional, and nothing else is a Schema', () => {
    // @ts-expect-error o is required
    fits<{ o: { a: string } }>({ o: inner });
    // @ts-expect-error a Schema for a string
    fits<{ o?: string }>({ o: inner });
    // @ts-expect-error a Model is none
    fits<{ a?: string }>(mongoose.model('M', inner));
  });
});

describe('options', () => {
  type Ping = { type: 'ping'; data: Record<never, never> };
  const ping = { ping: { data: {} } } as const;

  it('are known by name and type', () => {
    new ServiceOutbox<Ping>('X', ping, { connection: mongoose.connection, sizeBytes: 2 ** 31, setup: 'check' });
    new ServiceOutbox<Ping>('X', ping, { sequencer: false, currentSession: () => undefined, leaseMs: 500 });
    // @ts-expect-error unknown
    new ServiceOutbox<Ping>('X', ping, { size: 5 });
    // @ts-expect-error another type
    new ServiceOutbox<Ping>('X', ping, { sizeBytes: '5' });
    // @ts-expect-error no such setup
    new ServiceOutbox<Ping>('X', ping, { setup: 'auto' });
    // @ts-expect-error a URI is no connection
    new ServiceOutbox<Ping>('X', ping, { connection: 'mongodb://localhost' });
    // @ts-expect-error no name
    new ServiceOutbox<Ping>(ping);
    // @ts-expect-error the name is no string
    new ServiceOutbox<Ping>(5, ping);
    // @ts-expect-error unknown, with define too
    ServiceOutbox.define('X', ping, { size: 5 });
  });
});
