import { BSON, Int32, type Document } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';

import type { OutboxEvents } from '../../../src/index.js';
import { collect, createOutbox, waitFor, type TestOutbox, type TestMessage } from '../../support/create-outbox.js';
import { expectInOrder, numbersOf, order } from '../../support/orders.js';
import { insertBytes, overwrite } from '../../support/raw-bson.js';
import { exactCollection, foreign } from '../../support/raw-log.js';

const good = (ordernr: number) => foreign({ type: 'order_created', data: { ordernr: new Int32(ordernr) } });

/** Moves whatever is pending by now; gives what was recorded as failures. */
async function moveAll({ outbox, connection }: TestOutbox<TestMessage>): Promise<Document[]> {
  await outbox.start();
  await waitFor(async () => (await outbox.status()).pending.count === 0);
  return connection
    .collection('Outbox.failures')
    .find({}, { sort: { _id: 1 } })
    .toArray();
}

describe('a message that can never be appended goes to failures with its reason, and the others go on', () => {
  it.each([
    { what: 'no type', fields: { data: {} }, reason: 'its type is not a string' },
    { what: 'no data', fields: { type: 'order_created' }, reason: 'its data is not a document' },
    { what: 'text as data', fields: { type: 'order_created', data: 'x' }, reason: 'its data is not a document' },
    { what: 'a number as key', fields: { type: 'a', data: {}, key: 1 }, reason: 'its key is not a string' },
  ])('$what', async ({ fields, reason }) => {
    const created = await createOutbox();
    const { outbox, connection } = created;
    await outbox.init();
    const errors: OutboxEvents['error'][] = [];
    outbox.on('error', (error) => errors.push(error));
    const bad = foreign(fields);
    await exactCollection(connection, 'Outbox.pending').insertMany([good(1), bad, good(2)] as never[]);
    const failures = await moveAll(created);
    const messages = await collect(outbox.messages(), 2);
    expectInOrder(messages);
    expect(numbersOf(messages)).toEqual([1, 2]);
    const { _id: token, ts: _ts, ...message } = bad;
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({
      consumer: null,
      position: null,
      state: 'dead',
      attempts: 0,
      nextAttemptAt: null,
      firstError: { name: 'OutboxError', message: reason },
      lastError: { name: 'OutboxError', message: reason },
      message,
      _id: { token },
    });
    expect(failures[0]!['firstFailedAt']).toBeInstanceOf(Date);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ outbox: 'Outbox', part: 'sequencer', error: { code: 'INVALID_MESSAGE' } });
    expect((errors[0]!.error as Error).message).toContain(reason);
  });

  it('larger than a quarter of the log', async () => {
    const created = await createOutbox({ options: { sizeBytes: 1024 * 1024 } });
    await created.outbox.init();
    const large = foreign({ type: 'order_created', data: { ordernr: 9, note: 'x'.repeat(256 * 1024) } });
    const pending = exactCollection(created.connection, 'Outbox.pending');
    await pending.insertMany([large, good(1)] as never[]);
    const [failure] = await moveAll(created);
    expect(failure).toMatchObject({ type: 'order_created', message: { data: { ordernr: 9 } } });
    expect((failure!['lastError'] as Error).message).toMatch(/it takes \d+ bytes in the log, and at most 262144/);
    expect(numbersOf(await collect(created.outbox.messages(), 1))).toEqual([1]);
  });

  it('as large as a document can be: it is kept beside its record', async () => {
    const created = await createOutbox();
    await created.outbox.init();
    const empty = foreign({ type: 'order_created', data: { note: '' } });
    const room = 16 * 1024 * 1024 - 1 - BSON.calculateObjectSize(empty);
    const large: Record<string, unknown> = { ...empty, data: { note: 'x'.repeat(room) } };
    const pending = exactCollection(created.connection, 'Outbox.pending');
    await pending.insertMany([large, good(1)] as never[]);
    const failures = await moveAll(created);
    expect(failures).toHaveLength(2);
    expect(failures).toContainEqual(expect.objectContaining({ _id: large['_id'], data: large['data'] }));
    expect(failures).toContainEqual(
      expect.objectContaining({ state: 'dead', message: { type: 'order_created', dataIn: large['_id'] } }),
    );
    expect(numbersOf(await collect(created.outbox.messages(), 1))).toEqual([1]);
  });

  it.each([
    {
      what: 'text that is not UTF-8',
      bad: overwrite(
        BSON.serialize(foreign({ type: 'order_created', data: { note: 'bad!' } })),
        'bad!',
        [255, 254, 65, 66],
      ),
      reason: 'it is not valid BSON: Invalid UTF-8 string in BSON document',
    },
    {
      what: 'a regular expression with an option that MongoDB does not have',
      bad: overwrite(
        BSON.serialize(foreign({ type: 'order_created', data: { re: new BSON.BSONRegExp('bad!', 'i') } })),
        'bad!\0i\0',
        [...Buffer.from('good\0g\0')],
      ),
      reason: 'it is not valid BSON: The regular expression option [g] is not supported',
    },
  ])('which no driver of JavaScript can read: $what', async ({ bad, reason }) => {
    const created = await createOutbox();
    await created.outbox.init();
    const good1 = BSON.serialize(good(1));
    const good2 = BSON.serialize(good(2));
    await insertBytes(inject('mongoUri'), created.database, 'Outbox.pending', [good1, bad, good2]);
    const failures = await moveAll(created);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ type: 'order_created', state: 'dead', lastError: { message: reason } });
    expect(numbersOf(await collect(created.outbox.messages(), 2))).toEqual([1, 2]);
  });
});

it('many of them in a row do not stop the others either', async () => {
  const created = await createOutbox({ options: { appendBatchSize: 5 } });
  await created.outbox.init();
  const bad = Array.from({ length: 12 }, () => foreign({ type: 5, data: {} }));
  await exactCollection(created.connection, 'Outbox.pending').insertMany([...bad, good(1)] as never[]);
  await created.outbox.put(order(2), null);
  expect(await moveAll(created)).toHaveLength(12);
  expect(numbersOf(await collect(created.outbox.messages(), 2))).toEqual([1, 2]);
});
