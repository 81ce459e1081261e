import mongoose, { Schema, type Types } from 'mongoose';
import { describe, expectTypeOf, it } from 'vitest';

import { ServiceOutbox, type MessageOf } from '../../src/index.js';

const { Types: S } = Schema;

/** The data that `define` infers from a schema. */
declare function dataOf<const S extends { readonly [field: string]: unknown } | Schema>(
  data: S,
): MessageOf<{ readonly t: { readonly data: S } }>['data'];

describe('define infers', () => {
  it('each kind of field', () => {
    expectTypeOf(
      dataOf({
        string: { type: String, required: true },
        number: { type: Number, required: true },
        boolean: { type: Boolean, required: true },
        date: { type: Date, required: true },
        bigint: { type: BigInt, required: true },
        buffer: { type: Buffer, required: true },
        objectId: { type: S.ObjectId, required: true },
        decimal: { type: S.Decimal128, required: true },
        uuid: { type: S.UUID, required: true },
        mixed: { type: S.Mixed, required: true },
      }),
    ).toEqualTypeOf<{
      string: string;
      number: number;
      boolean: boolean;
      date: Date;
      bigint: bigint;
      buffer: Buffer;
      objectId: Types.ObjectId;
      decimal: Types.Decimal128;
      uuid: mongoose.mongo.UUID;
      mixed: unknown;
    }>();
  });

  it('each way to write a type', () => {
    expectTypeOf(
      dataOf({
        a: S.String,
        b: 'String',
        c: { type: S.Number },
        d: S.Int32,
        e: S.Double,
        f: S.Boolean,
        g: S.Date,
        h: S.BigInt,
        i: S.Buffer,
        j: mongoose.Types.ObjectId,
        k: 'ObjectId',
        l: mongoose.Types.Decimal128,
        m: S.Mixed,
      }),
    ).toEqualTypeOf<{
      a?: string;
      b?: string;
      c?: number;
      d?: number;
      e?: number;
      f?: boolean;
      g?: Date;
      h?: bigint;
      i?: Buffer;
      j?: Types.ObjectId;
      k?: Types.ObjectId;
      l?: Types.Decimal128;
      m?: unknown;
    }>();
  });

  it('what is required and what is optional', () => {
    expectTypeOf(
      dataOf({
        a: String,
        b: { type: String },
        c: { type: String, required: false },
        d: { type: String, required: true },
        e: { type: String, required: [true, 'e is needed'] },
        f: { type: String, default: 'x' },
        g: [String],
        h: { type: [String], required: true },
      }),
    ).toEqualTypeOf<{
      a?: string;
      b?: string;
      c?: string;
      d: string;
      e: string;
      f?: string;
      g?: string[];
      h: string[];
    }>();
  });

  it('the members of an enum', () => {
    expectTypeOf(
      dataOf({
        a: { type: String, enum: ['x', 'y'], required: true },
        b: { type: String, enum: { values: ['x', 'y'], message: 'no' } },
        c: { type: Number, enum: [1, 2] },
        d: [{ type: String, enum: ['x', 'y'] }],
        e: { type: [String], enum: ['x', 'y'] },
      }),
    ).toEqualTypeOf<{
      a: 'x' | 'y';
      b?: 'x' | 'y';
      c?: 1 | 2;
      d?: ('x' | 'y')[];
      e?: ('x' | 'y')[];
    }>();
  });

  it('objects, required as they stand and optional as a type', () => {
    expectTypeOf(
      dataOf({
        o: { a: { type: String, required: true }, p: { b: Number } },
        q: { type: { c: { type: Date, required: true } } },
        r: { type: { d: String }, required: true },
        s: { type: { type: String, required: true }, e: Number },
      }),
    ).toEqualTypeOf<{
      o: { a: string; p: { b?: number } };
      q?: { c: Date };
      r: { d?: string };
      s: { type: string; e?: number };
    }>();
  });

  it('arrays of each', () => {
    expectTypeOf(
      dataOf({
        a: [Date],
        b: [[Number]],
        c: [{ d: { type: String, required: true }, e: Number }],
        f: { type: [{ type: S.ObjectId }], required: true },
        g: [{ type: { type: String, required: true } }],
      }),
    ).toEqualTypeOf<{
      a?: Date[];
      b?: number[][];
      c?: { d: string; e?: number }[];
      f: Types.ObjectId[];
      g?: { type: string }[];
    }>();
  });

  it('Maps of each', () => {
    expectTypeOf(
      dataOf({
        a: { type: Map, of: Number },
        b: { type: Map, of: { c: { type: String, required: true } }, required: true },
        d: { type: Map, of: [Date] },
        e: { type: Map, of: { type: Map, of: BigInt } },
        f: Map,
        g: { type: S.Map, of: { type: String, enum: ['x'] } },
        h: [{ type: Map, of: Number }],
      }),
    ).toEqualTypeOf<{
      a?: Map<string, number>;
      b: Map<string, { c: string }>;
      d?: Map<string, Date[]>;
      e?: Map<string, Map<string, bigint>>;
      f?: Map<string, unknown>;
      g?: Map<string, 'x'>;
      h?: Map<string, number>[];
    }>();
  });

  it('what a mongoose Schema describes', () => {
    const whole = dataOf(new Schema({ a: { type: String, required: true }, b: { type: Number, required: true } }));
    expectTypeOf(whole.a).toEqualTypeOf<string>();
    expectTypeOf(whole.b).toEqualTypeOf<number>();

    const inner = new Schema({ a: { type: String, required: true } });
    const inside = dataOf({ o: { type: inner, required: true }, p: inner, l: [inner], m: { type: Map, of: inner } });
    expectTypeOf(inside.o.a).toEqualTypeOf<string>();
    expectTypeOf(inside.p!.a).toEqualTypeOf<string>();
    expectTypeOf<undefined>().toExtend<typeof inside.p>();
    expectTypeOf(inside.l![0]!.a).toEqualTypeOf<string>();
    expectTypeOf(inside.m!).toExtend<Map<string, { a: string }>>();
  });

  it('the union of the message types', () => {
    const outbox = ServiceOutbox.define('X', {
      created: { data: { nr: { type: Number, required: true } } },
      renamed: { data: { to: String } },
      emptied: { data: {} },
    });
    expectTypeOf(outbox).toEqualTypeOf<
      ServiceOutbox<
        | { type: 'created'; data: { nr: number } }
        | { type: 'renamed'; data: { to?: string } }
        | { type: 'emptied'; data: {} } // eslint-disable-line @typescript-eslint/no-empty-object-type
      >
    >();
  });
});

describe('define refuses', () => {
  it('what is no schema', () => {
    // @ts-expect-error data is missing
    ServiceOutbox.define('X', { t: {} });
    // @ts-expect-error data is a constructor
    ServiceOutbox.define('X', { t: { data: 'String' } });
    // @ts-expect-error no schemas
    ServiceOutbox.define('X');
    // @ts-expect-error reserved
    ServiceOutbox.define('X', { t: { data: { a: String }, version: 2 } });
    // @ts-expect-error reserved
    ServiceOutbox.define('X', { t: { data: { a: String }, upcast: () => 1 } });
    // @ts-expect-error an option that is unknown
    ServiceOutbox.define('X', { t: { data: { a: String } } }, { leasems: 5 });
  });
});
