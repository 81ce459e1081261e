import mongoose, { Schema } from 'mongoose';
import { describe, expect, it } from 'vitest';

import { largestMessage, maxIdBytes, toPending, type PendingMessage } from '../../../src/schema/pending-message.js';
import { PutModels } from '../../../src/schema/put-models.js';
import { otherMongoose, rejection } from '../../support/payloads.js';

const models = new PutModels(mongoose, 'X', {
  t: { data: { a: String, x: Schema.Types.Mixed, d: Schema.Types.Decimal128 } },
});
const { BSON } = mongoose.mongo;
const other = await otherMongoose();
const plenty = 16 * 1024 * 1024;

function pending(message: unknown, maxBytes = plenty): Promise<PendingMessage> {
  return toPending(message, models, mongoose.mongo, maxBytes);
}

/** Of mongoose, and so of the driver and the BSON library under it. */
function majorOf({ version }: { version: string }): string | undefined {
  return version.split('.')[0];
}

describe('refuses with INVALID_MESSAGE', () => {
  const data = { a: 'x' };
  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a string', 'order_created', 'order_created'],
    ['a number', 5, '5'],
    ['an array', [{ type: 't', data }], 'an array'],
    [
      'an object of a class',
      new (class Order {
        type = 't';
        data = data;
      })(),
      'Order',
    ],
    ['no type', { data }, 'type must be a string'],
    ['a type that is no string', { type: 5, data }, 'type must be a string'],
    ['no data', { type: 't' }, 'data'],
    ['data that is null', { type: 't', data: null }, 'data'],
    ['data that is a string', { type: 't', data: 'x' }, 'data'],
    ['data that is an array', { type: 't', data: [] }, 'data'],
    ['data that is a function', { type: 't', data: () => data }, 'data'],
    ['data that is a Date', { type: 't', data: new Date() }, 'data'],
    ['data that is a Map', { type: 't', data: new Map([['a', 'x']]) }, 'data'],
    ['data that is a Buffer', { type: 't', data: Buffer.from('x') }, 'data'],
    ['data that is an ObjectId', { type: 't', data: new mongoose.Types.ObjectId() }, 'data'],
    ['another field', { type: 't', data, position: 1 }, '"position"'],
    ['a field of the stored message', { type: 't', data, _id: 1 }, '"_id"'],
    ['an id that is no string', { type: 't', data, id: 5 }, 'id'],
    ['an id that is null', { type: 't', data, id: null }, 'id'],
    ['an id that is an ObjectId', { type: 't', data, id: new mongoose.Types.ObjectId() }, 'id'],
    ['an empty id', { type: 't', data, id: '' }, 'id'],
    ['an id that is too long', { type: 't', data, id: 'i'.repeat(maxIdBytes + 1) }, String(maxIdBytes)],
    ['an id that is too long in bytes', { type: 't', data, id: 'ü'.repeat(maxIdBytes / 2 + 1) }, String(maxIdBytes)],
    ['a key that is no string', { type: 't', data, key: 5 }, 'key'],
    ['a key that is null', { type: 't', data, key: null }, 'key'],
    ['an empty key', { type: 't', data, key: '' }, 'key'],
    ['a key that is too long', { type: 't', data, key: 'k'.repeat(maxIdBytes + 1) }, String(maxIdBytes)],
    ['headers that are null', { type: 't', data, headers: null }, 'headers'],
    ['headers that are an array', { type: 't', data, headers: ['x'] }, 'headers'],
    ['headers that are a Map', { type: 't', data, headers: new Map() }, 'headers'],
    ['headers that are a string', { type: 't', data, headers: 'x' }, 'headers'],
    ['a header that is a number', { type: 't', data, headers: { h: 5 } }, '"h"'],
    ['a header that is undefined', { type: 't', data, headers: { h: undefined } }, '"h"'],
    ['a header without a name', { type: 't', data, headers: { '': 'x' } }, 'name'],
    ['a header with NUL in its name', { type: 't', data, headers: { 'a\0b': 'x' } }, 'NUL'],
  ])('%s', async (_what, message, named) => {
    const error = await rejection(pending(message));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', retryable: false });
    expect(error.message).toContain(named);
  });

  // Copies whose BSON has the same major version take each other's values.
  const sameBson = majorOf(mongoose) === majorOf(other);
  it.skipIf(sameBson).each(['ObjectId', 'Decimal128'] as const)(
    'a value that another copy of the driver made: %s',
    async (type) => {
      const value = type === 'ObjectId' ? new other.Types.ObjectId() : other.Types.Decimal128.fromString('1');
      expect(await rejection(pending({ type: 't', data: { x: value } }))).toMatchObject({ code: 'INVALID_MESSAGE' });
      expect(await rejection(pending({ type: 't', data: { d: value } }))).toBeInstanceOf(Error);
    },
  );
});

describe('takes', () => {
  it('the longest id and key', async () => {
    const longest = 'i'.repeat(maxIdBytes);
    expect(await pending({ type: 't', data: {}, id: longest, key: longest })).toMatchObject({
      id: longest,
      key: longest,
    });
  });

  it('id, key and headers that are undefined as left out', async () => {
    const message = await pending({ type: 't', data: {}, id: undefined, key: undefined, headers: undefined });
    expect(Object.keys(message)).toEqual(['_id', 'ts', 'type', 'data']);
  });

  it('data that is an object of a class, or of none', async () => {
    class Order {
      constructor(readonly a: string) {}
    }
    expect((await pending({ type: 't', data: new Order('x') })).data).toEqual({ a: 'x' });
    expect((await pending({ type: 't', data: Object.assign(Object.create(null) as object, { a: 'x' }) })).data).toEqual(
      {
        a: 'x',
      },
    );
  });
});

it('stores a fresh token, the placeholder of the cluster time, and what was given', async () => {
  const message = { type: 't', data: { a: 'x' }, id: 'i', key: 'k', headers: { h: 'v' } };
  const [first, second] = [await pending(message), await pending(message)];
  expect(first).toEqual({
    _id: expect.any(mongoose.mongo.ObjectId) as unknown,
    ts: new mongoose.mongo.Timestamp({ t: 0, i: 0 }),
    ...message,
  });
  expect(first._id).not.toEqual(second._id);
});

it('stores no empty headers, and its own copy of those given', async () => {
  expect(await pending({ type: 't', data: {}, headers: {} })).not.toHaveProperty('headers');
  const headers = { h: 'v' };
  const message = await pending({ type: 't', data: {}, headers });
  headers.h = 'w';
  expect(message.headers).toEqual({ h: 'v' });
});

describe('the size limit', () => {
  it.each([
    [1024 * 1024, 128 * 1024],
    [8 * 1024 * 1024, 1024 * 1024],
    [127 * 1024 * 1024, (127 * 1024 * 1024) / 8],
    [128 * 1024 * 1024, 16 * 1024 * 1024 - 64 * 1024],
    [2 ** 40, 16 * 1024 * 1024 - 64 * 1024],
  ])('is, for a log of %i bytes, %i bytes', (sizeBytes, most) => {
    expect(largestMessage(sizeBytes)).toBe(most);
  });

  it('counts everything of the message, and is exact to the byte', async () => {
    const most = 2_000;
    const message = (length: number) => ({
      type: 't',
      data: { a: 'ü'.repeat(length) },
      key: 'k',
      headers: { h: 'v'.repeat(100) },
    });
    const empty = BSON.calculateObjectSize(await pending(message(0)));
    const room = (most - empty - 128) / 2;
    expect(BSON.serialize(await pending(message(Math.floor(room)), most)).length + 128).toBeLessThanOrEqual(most);
    expect(await rejection(pending(message(Math.floor(room) + 1), most))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      message: expect.stringContaining(`at most ${most}`) as string,
    });
  });

  it.each([
    ['the mongoose of the tests', mongoose],
    ['mongoose 8', other],
  ])('counts Maps, Buffers and Decimal128 as they are stored: %s', async (_which, base) => {
    const { Decimal128, Mixed, UUID } = base.Schema.Types;
    const wide = new PutModels(base, 'X', {
      t: { data: { m: { type: Map, of: Buffer }, b: Buffer, d: [Decimal128], u: UUID, x: Mixed } },
    });
    const data = {
      m: new Map([['k', Buffer.alloc(5_000)]]),
      b: Buffer.alloc(5_000),
      d: ['1.5'],
      u: new base.mongo.UUID(),
      x: [-0, new Map([['k', new Map([['l', 'x'.repeat(5_000)]])]])],
    };
    const message = await toPending({ type: 't', data }, wide, base.mongo, plenty);
    const size = base.mongo.BSON.serialize(message).length + 128;
    await expect(toPending({ type: 't', data }, wide, base.mongo, size)).resolves.toBeDefined();
    await expect(toPending({ type: 't', data }, wide, base.mongo, size - 1)).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
  });
});
