import fc from 'fast-check';
import { BSON, Binary, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'mongodb';
import { describe, expect, it } from 'vitest';

import { entrySize, planBatch, type Base, type Candidate } from '../../../src/sequencer/plan-batch.js';
import { largestAppend, type AppendLimits } from '../../../src/sequencer/limits.js';
import { exactBson } from '../../../src/store/store.js';

const wide: AppendLimits = { count: 1_000, bytes: 8 * 1024 * 1024, quarter: 64 * 1024 * 1024 };
const empty: Base = { position: 0, created: 0, bytes: 0n };
const ts = () => new Timestamp({ t: 1_700_000_000, i: 1 });

/** A pending message as the store hands it over: encoded, and decoded again with its BSON types kept apart. */
function pending(fields: object): Candidate {
  const bytes = BSON.serialize({ _id: new ObjectId(), ts: ts(), ...fields }, { ignoreUndefined: false });
  return { size: bytes.length, fields: BSON.deserialize(bytes, exactBson) };
}

const order = (fields: object = {}) => pending({ type: 'order_created', data: { ordernr: 1 }, ...fields });
const sizeOf = (entry: object) => BSON.serialize(entry, { ignoreUndefined: false }).length;
const positions = (plan: { entries: Record<string, unknown>[] }) => plan.entries.map(({ _id }) => _id);

/** No NUL; and no name that JavaScript would move in front of the others, or that makes an object a DBRef. */
const fieldName = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((name) => !name.includes('\0') && !/^\d+$/.test(name) && !name.startsWith('$') && name !== '__proto__');

/** Any value that a message may hold. */
const bsonValue: fc.Arbitrary<unknown> = fc.letrec((again) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer().map((n) => new Int32(n | 0)),
    fc.double().map((n) => new Double(n)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => Long.fromBigInt(n)),
    fc.string({ unit: 'grapheme' }),
    fc.boolean(),
    fc.constantFrom(null, new MinKey(), new MaxKey(), Decimal128.fromString('1.50'), new Double(-0), new Double(NaN)),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new Binary(bytes, 0)),
    fc.constantFrom(0, 1, 2, 3, 5, 6, 128).map((subtype) => new Binary(Buffer.from('data'), subtype)),
    fc.constant(0).map(() => new ObjectId()),
    fc.array(again('value'), { maxLength: 4 }),
    fc.dictionary(fieldName, again('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

const ownNames = ['_id', 'ts', 'token', 'created', 'epoch', 'bytes', 'last', 'type', 'data', 'id', 'key', 'headers'];

const message = fc.record(
  {
    type: fc.string({ minLength: 1 }).filter((type) => !type.includes('\0')),
    data: fc.dictionary(fieldName, bsonValue, { maxKeys: 5, noNullPrototype: true }),
    id: fc.string(),
    key: fc.string(),
    headers: fc.dictionary(fieldName, fc.string(), { maxKeys: 3, noNullPrototype: true }),
  },
  { requiredKeys: ['type', 'data'] },
);

const unknownFields = fc.dictionary(
  fieldName.filter((name) => !ownNames.includes(name)),
  bsonValue,
  { maxKeys: 3, noNullPrototype: true },
);

describe('positions', () => {
  it('go on from the base without a gap, one per message, in the order read', () => {
    const candidates = [order({ id: 'a' }), order({ id: 'b' }), order({ id: 'c' })];
    const plan = planBatch(candidates, { position: 41, created: 5, bytes: 100n }, 10, 3, wide);
    expect(positions(plan)).toEqual([42, 43, 44]);
    expect(plan.entries.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(plan.tokens).toEqual(candidates.map(({ fields }) => fields['_id']));
    expect(plan.entries.map(({ token }) => token)).toEqual(plan.tokens);
    expect(plan.end.position).toBe(44);
  });

  it('are marked at the last entry of a batch, which wakes the readers once, and at no other', () => {
    const marks = (count: number) =>
      planBatch([order(), order(), order({ last: true })], empty, 0, 1, { ...wide, count }).entries.map(
        (entry) => entry['last'],
      );
    expect(marks(3)).toEqual([undefined, undefined, true]);
    expect(marks(2)).toEqual([undefined, true]);
  });

  it('have no gap where a message is refused', () => {
    const plan = planBatch([order(), pending({ type: 'x' }), order()], empty, 0, 1, wide);
    expect(positions(plan)).toEqual([1, 2]);
    expect(plan.refused).toHaveLength(1);
  });

  it('leave the base as it is when there is nothing to append', () => {
    const base = { position: 7, created: 9, bytes: 70n };
    expect(planBatch([], base, 1, 1, wide)).toEqual({ entries: [], tokens: [], refused: [], end: base });
    expect(planBatch([pending({ type: 'x' })], base, 1, 1, wide).end).toEqual(base);
  });
});

describe('the limits of an append', () => {
  const size = entrySize(order(), 1);
  /** The mark of the last entry. */
  const mark = 7;

  it.each([
    { limit: 'count', limits: { ...wide, count: 2 }, taken: 2 },
    { limit: 'bytes, exactly reached', limits: { ...wide, bytes: 3 * size + mark }, taken: 3 },
    { limit: 'bytes, one too few', limits: { ...wide, bytes: 3 * size + mark - 1 }, taken: 2 },
    { limit: 'bytes below a single message, which then goes alone', limits: { ...wide, bytes: 1 }, taken: 1 },
    { limit: 'none reached', limits: wide, taken: 5 },
  ])('$limit: a prefix of $taken', ({ limits, taken }) => {
    const candidates = Array.from({ length: 5 }, () => order());
    const plan = planBatch(candidates, empty, 0, 1, limits);
    expect(plan.tokens).toEqual(candidates.slice(0, taken).map(({ fields }) => fields['_id']));
    expect(plan.refused).toEqual([]);
  });

  it('takes no message out of turn: one that does not fit ends the batch, though later ones would fit', () => {
    const large = order({ data: { note: 'x'.repeat(2_000) } });
    const plan = planBatch([order(), large, order()], empty, 0, 1, { ...wide, bytes: 1_000 });
    expect(plan.entries).toHaveLength(1);
    expect(plan.refused).toEqual([]);
  });

  it('keeps to them for any messages', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 3_000 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 500, max: 8_000 }),
        (lengths, count, bytes) => {
          const limits = { count, bytes, quarter: 8_000 };
          const candidates = lengths.map((length) => order({ data: { note: 'x'.repeat(length) } }));
          const plan = planBatch(candidates, empty, 0, 1, limits);
          expect(plan.refused).toEqual([]);
          expect(plan.entries.length).toBeGreaterThanOrEqual(1);
          expect(plan.entries.length).toBeLessThanOrEqual(count);
          if (plan.entries.length > 1) expect(plan.end.bytes).toBeLessThanOrEqual(BigInt(bytes));
          expect(plan.tokens).toEqual(candidates.slice(0, plan.tokens.length).map(({ fields }) => fields['_id']));
        },
      ),
    );
  });
});

describe('created', () => {
  it.each([
    { server: 'ahead of the log', created: 100, serverNow: 150, expected: 150 },
    {
      server: 'behind the log, by an earlier primary whose clock ran ahead',
      created: 100,
      serverNow: 50,
      expected: 100,
    },
    { server: 'at the same moment', created: 100, serverNow: 100, expected: 100 },
  ])('is never below that of the log: the server is $server', ({ created, serverNow, expected }) => {
    const plan = planBatch([order(), order()], { ...empty, created }, serverNow, 1, wide);
    expect(plan.entries.map((entry) => entry['created'])).toEqual([new Date(expected), new Date(expected)]);
    expect(plan.end.created).toBe(expected);
  });

  it('never falls from batch to batch, whatever the server says', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 10_000 }), { minLength: 2, maxLength: 20 }), (times) => {
        let base = empty;
        for (const serverNow of times) {
          const plan = planBatch([order(), order()], base, serverNow, 1, wide);
          for (const entry of plan.entries) {
            expect((entry['created'] as Date).getTime()).toBeGreaterThanOrEqual(Math.max(base.created, serverNow));
          }
          base = plan.end;
        }
        expect(base).toMatchObject({ position: 2 * times.length, created: Math.max(...times) });
      }),
    );
  });
});

describe('sizes', () => {
  it('are those of the entries as BSON, and the running count is their sum, for any message and position', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(message, unknownFields), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 7, 2 ** 31 - 3, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 40),
        (messages, position) => {
          const candidates = messages.map(([known, unknown]) => pending({ ...unknown, ...known }));
          const plan = planBatch(candidates, { position, created: 1, bytes: 5n }, 2, 9, wide);
          expect(plan.refused).toEqual([]);
          let bytes = 5n;
          for (const [index, entry] of plan.entries.entries()) {
            const size = sizeOf(entry);
            const mark = index === plan.entries.length - 1 ? 7 : 0;
            expect(entrySize(candidates[index]!, entry['_id'] as number) + mark).toBe(size);
            bytes += BigInt(size);
            expect(entry['bytes']).toBe(bytes);
          }
          expect(plan.end.bytes).toBe(bytes);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are right for a message without ts, which other hands may have put', () => {
    const bytes = BSON.serialize({ _id: new ObjectId(), type: 'a', data: {} });
    const candidate = { size: bytes.length, fields: BSON.deserialize(bytes, exactBson) };
    const plan = planBatch([candidate], empty, 0, 1, wide);
    expect(plan.end.bytes).toBe(BigInt(sizeOf(plan.entries[0]!)));
  });

  it('stay exact beyond 2^53', () => {
    const bytes = 2n ** 60n + 1n;
    const plan = planBatch([order()], { ...empty, bytes }, 0, 1, wide);
    expect(plan.end.bytes - bytes).toBe(BigInt(sizeOf(plan.entries[0]!)));
  });
});

describe('what is moved', () => {
  it('keeps every field and BSON type of a message, known or not', () => {
    fc.assert(
      fc.property(message, unknownFields, (known, unknown) => {
        const fields = { ...unknown, ...known };
        const plan = planBatch([pending(fields)], empty, 0, 1, wide);
        const { _id, token: _t, created: _c, epoch: _e, bytes: _b, last: _l, ...moved } = plan.entries[0]!;
        expect(Buffer.from(BSON.serialize(moved, { ignoreUndefined: false })).toString('hex')).toBe(
          Buffer.from(BSON.serialize(fields, { ignoreUndefined: false })).toString('hex'),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("lets the log's own fields win over fields of the same names, and drops ts", () => {
    const candidate = order({ token: 'mine', created: 'mine', epoch: 'mine', bytes: 'mine', last: 'mine' });
    const plan = planBatch([candidate], empty, 7, 3, wide);
    expect(plan.entries[0]).toEqual({
      type: 'order_created',
      data: { ordernr: new Int32(1) },
      _id: 1,
      token: candidate.fields['_id'],
      created: new Date(7),
      epoch: 3,
      bytes: expect.any(BigInt) as bigint,
      last: true,
    });
    // The count may only be too high: retention then keeps a little less, and never too much.
    expect(plan.end.bytes).toBeGreaterThanOrEqual(BigInt(sizeOf(plan.entries[0]!)));
  });
});

describe('refused', () => {
  it.each([
    { field: 'no type', fields: { data: {} }, reason: 'its type is not a string' },
    { field: 'an empty type', fields: { type: '', data: {} }, reason: 'its type is not a string' },
    { field: 'a number as type', fields: { type: 1, data: {} }, reason: 'its type is not a string' },
    { field: 'no data', fields: { type: 'a' }, reason: 'its data is not a document' },
    { field: 'null as data', fields: { type: 'a', data: null }, reason: 'its data is not a document' },
    { field: 'an array as data', fields: { type: 'a', data: [1] }, reason: 'its data is not a document' },
    { field: 'a string as data', fields: { type: 'a', data: 'b' }, reason: 'its data is not a document' },
    { field: 'a Date as data', fields: { type: 'a', data: new Date(0) }, reason: 'its data is not a document' },
    { field: 'an ObjectId as data', fields: { type: 'a', data: new ObjectId() }, reason: 'its data is not a document' },
    { field: 'a regex as data', fields: { type: 'a', data: /a/ }, reason: 'its data is not a document' },
    { field: 'a number as id', fields: { type: 'a', data: {}, id: 5 }, reason: 'its id is not a string' },
    { field: 'null as id', fields: { type: 'a', data: {}, id: null }, reason: 'its id is not a string' },
    { field: 'a number as key', fields: { type: 'a', data: {}, key: 5 }, reason: 'its key is not a string' },
    {
      field: 'a string as headers',
      fields: { type: 'a', data: {}, headers: 'h' },
      reason: 'its headers are not a document of strings',
    },
    {
      field: 'a number among the headers',
      fields: { type: 'a', data: {}, headers: { a: 'b', c: 1 } },
      reason: 'its headers are not a document of strings',
    },
    {
      field: 'an array as headers',
      fields: { type: 'a', data: {}, headers: ['h'] },
      reason: 'its headers are not a document of strings',
    },
  ])('$field, and the others go on', ({ fields, reason }) => {
    const bad = pending(fields);
    const plan = planBatch([order(), bad, order()], empty, 0, 1, wide);
    expect(plan.refused).toEqual([{ candidate: bad, reason }]);
    expect(positions(plan)).toEqual([1, 2]);
    expect(plan.tokens).not.toContainEqual(bad.fields['_id']);
  });

  it('a message larger than anything that can be appended, by one byte', () => {
    const limits = { ...wide, quarter: 4_096 };
    const room = largestAppend(limits) - entrySize(order({ data: { note: '' } }), 1);
    const fits = order({ data: { note: 'x'.repeat(room) } });
    const tooLarge = order({ data: { note: 'x'.repeat(room + 1) } });
    const plan = planBatch([fits, tooLarge, order()], empty, 0, 1, { ...limits, bytes: 8_192 });
    expect(plan.tokens).toHaveLength(2);
    expect(plan.refused).toEqual([
      { candidate: tooLarge, reason: 'it takes 4097 bytes in the log, and at most 4096 can be appended' },
    ]);
  });

  it.each([
    { field: 'no id, key or headers', fields: {} },
    { field: 'empty headers', fields: { headers: {} } },
    { field: 'an empty id', fields: { id: '' } },
    { field: 'a type that nobody here knows', fields: { type: 'of_a_newer_release' } },
  ])('is not: $field', ({ fields }) => {
    expect(planBatch([order(fields)], empty, 0, 1, wide).refused).toEqual([]);
  });
});
