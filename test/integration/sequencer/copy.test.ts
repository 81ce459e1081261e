import {
  BSON,
  BSONRegExp,
  BSONSymbol,
  Binary,
  Code,
  DBRef,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
  type Document,
} from 'mongodb';
import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';

import type { MessageSchemas } from '../../../src/index.js';
import { collect, createOutbox, waitFor } from '../../support/create-outbox.js';
import { order, orders, putInTransaction } from '../../support/orders.js';
import { fieldBytes } from '../../support/raw-bson.js';
import { bsonSize, exactCollection, foreign, readEntries } from '../../support/raw-log.js';

type Mixed = { type: 'anything'; data: { value: unknown } };
const mixed: MessageSchemas<Mixed> = { anything: { data: { value: { type: mongoose.Schema.Types.Mixed } } } };

const values: Record<string, unknown> = {
  'a double 1.0': new Double(1),
  'a double 1.5': new Double(1.5),
  'minus zero': new Double(-0),
  NaN: new Double(NaN),
  Infinity: new Double(Infinity),
  'a long 5': Long.fromNumber(5),
  'the largest long': Long.MAX_VALUE,
  'the smallest long': Long.MIN_VALUE,
  'an int32': new Int32(-7),
  'a Decimal128 1.50': Decimal128.fromString('1.50'),
  'a Decimal128 NaN': Decimal128.fromString('NaN'),
  'a Decimal128 -0E+3': Decimal128.fromString('-0E+3'),
  text: 'Grüße, 漢字 😀 and a NUL \0 inside',
  'empty text': '',
  'true and false': [true, false],
  null: null,
  'a date': new Date(1_700_000_000_123),
  'a date before 1970': new Date(-1),
  'an ObjectId': new ObjectId(),
  'a Timestamp (0, 0), which the server leaves alone where it is nested': new Timestamp({ t: 0, i: 0 }),
  'a Timestamp': new Timestamp({ t: 1_700_000_000, i: 7 }),
  'a regular expression': new BSONRegExp('^(?i)a.*b$', 'imsx'),
  'binary data, general': new Binary(Buffer.from([0, 1, 255]), 0),
  'binary data, empty': new Binary(Buffer.alloc(0), 0),
  'binary data, function': new Binary(Buffer.from([1]), 1),
  'binary data, old': new Binary(Buffer.from([1, 2, 3]), 2),
  'binary data, old UUID': new Binary(Buffer.alloc(16, 3), 3),
  'a UUID': new UUID('0189e0c4-1b5a-7c3e-8a6b-0123456789ab'),
  'binary data, UUID of a wrong length': new Binary(Buffer.from([1, 2, 3]), 4),
  'binary data, MD5': new Binary(Buffer.alloc(16, 5), 5),
  'binary data, encrypted': new Binary(Buffer.from([1, 2, 3]), 6),
  'binary data, sensitive': new Binary(Buffer.from([1, 2, 3]), 8),
  'binary data, user-defined': new Binary(Buffer.from([1, 2, 3]), 200),
  MinKey: new MinKey(),
  MaxKey: new MaxKey(),
  code: new Code('function () {}'),
  'code with scope': new Code('function () { return a }', { a: new Double(1) }),
  'a symbol': new BSONSymbol('symbol'),
  'a DBRef': new DBRef('users', new ObjectId(), 'other', { extra: new Int32(1) }),
  'an empty document and array': [{}, []],
  'an array of different numbers': [new Int32(1), new Double(1), Long.fromNumber(1), Decimal128.fromString('1')],
  'deeply nested': { a: [{ b: { c: [[[{ d: new Double(2), e: Long.fromNumber(2) }]]] } }] },
  'odd field names': { '': new Int32(1), 'a.b': new Int32(2), $dollar: new Int32(3), __proto__x: new Int32(4) },
};

/** What pending and the log hold of one message, each field by its bytes. */
async function movedBytes(fields: Document): Promise<{ before: Map<string, string>; after: Map<string, string> }> {
  const { outbox, connection } = await createOutbox();
  await outbox.init();
  const raw = { raw: true } as const;
  await exactCollection(connection, 'Outbox.pending').insertOne(foreign(fields));
  const before = await exactCollection(connection, 'Outbox.pending').findOne({}, raw);
  await outbox.start();
  const after = await waitFor(() => exactCollection(connection, 'Outbox').findOne({ _id: 1 as never }, raw));
  return { before: fieldBytes(before as unknown as Uint8Array), after: fieldBytes(after as unknown as Uint8Array) };
}

describe('a message is moved as it was put, to the byte', () => {
  it('whatever BSON types it holds', async () => {
    const { before, after } = await movedBytes({ type: 'anything', data: values });
    expect(after.get('data')).toBe(before.get('data'));
    expect(after.get('type')).toBe(before.get('type'));
  });

  it('with types and fields that this release does not know', async () => {
    const fields = {
      type: 'of_a_newer_release',
      data: { something: new Double(1) },
      id: 'mine',
      key: 'k',
      headers: { traceparent: '00-ab-cd-01' },
      priority: Long.fromNumber(5),
      nested: { ratio: new Double(1), list: [Long.fromNumber(1)] },
      when: new Timestamp({ t: 5, i: 5 }),
    };
    const { before, after } = await movedBytes(fields);
    for (const name of Object.keys(fields)) expect([name, after.get(name)]).toEqual([name, before.get(name)]);
    expect(after.get('token')).toBe(before.get('_id'));
    expect(after.has('ts')).toBe(false);
  });

  it('through put, with the values that JavaScript has for them', async () => {
    const { outbox, connection } = await createOutbox<Mixed>({ schemas: mixed });
    const value = { double: new Double(1), long: Long.fromNumber(5), decimal: Decimal128.fromString('1.50'), int: 1 };
    await connection.transaction(async (session) => {
      await outbox.put({ type: 'anything', data: { value } }, session);
    });
    await collect(outbox.messages(), 1);
    const [entry] = await exactCollection(connection, 'Outbox')
      .find({ _id: 1 as never })
      .toArray();
    expect(Buffer.from(BSON.serialize(entry!['data'] as Document)).toString('hex')).toBe(
      Buffer.from(BSON.serialize({ value })).toString('hex'),
    );
  });
});

it('a reader that does not know a type delivers it all the same, with its unknown fields of data', async () => {
  const { outbox, connection } = await createOutbox();
  await outbox.init();
  const data = { ordernr: new Int32(1), addedLater: { a: [new Double(1.5)] } };
  await exactCollection(connection, 'Outbox.pending').insertMany([
    foreign({ type: 'order_created', data }),
    foreign({ type: 'of_a_newer_release', data: { x: 'y' }, key: 'k' }),
  ] as never[]);
  const [known, unknown] = await collect(outbox.messages(), 2);
  expect(known).toMatchObject({ type: 'order_created', data: { ordernr: 1, addedLater: { a: [1.5] } } });
  expect(unknown).toMatchObject({ type: 'of_a_newer_release', data: { x: 'y' }, key: 'k', headers: {}, position: 2 });
});

it('the running byte count is the sum of the sizes of the entries, from batch to batch and process to process', async () => {
  const first = await createOutbox({ options: { appendBatchSize: 7 } });
  await putInTransaction(first, 1, 20);
  await first.outbox.put(
    [...orders(21, 3, 'Grüße'), { ...order(24), id: 'mine', key: 'k', headers: { h: 'v' } }],
    null,
  );
  await collect(first.outbox.messages(), 24);
  await first.outbox.close();
  const second = await createOutbox({ database: first.database });
  await putInTransaction(second, 25, 5);
  await collect(second.outbox.messages(), 29);
  let bytes = 0n;
  const entries = await exactCollection(first.connection, 'Outbox')
    .find({ _id: { $gt: 0 } as never }, { sort: { _id: 1 } })
    .toArray();
  expect(entries).toHaveLength(29);
  for (const entry of entries) {
    bytes += BigInt(bsonSize(entry));
    expect((entry['bytes'] as Long).toBigInt()).toBe(bytes);
  }
  expect((await second.outbox.status()).log.bytes).toBe(Number(bytes));
});

it('each entry holds its token, and the epoch of the sequencer that appended it', async () => {
  const { outbox, connection } = await createOutbox();
  const ids = await outbox.put(orders(1, 3), null);
  await collect(outbox.messages(), 3);
  const entries = await readEntries(connection);
  expect(entries.map(({ token }) => (token as ObjectId).toHexString())).toEqual(ids);
  expect(entries.map(({ epoch }) => epoch as number)).toEqual([1, 1, 1]);
});
