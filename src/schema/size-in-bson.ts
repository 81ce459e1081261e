import type mongoose from 'mongoose';
import { isPlainObject } from './payload-schema.js';

type Bson = typeof mongoose.mongo.BSON;

/** Whether a copy of the BSON library counts what it would write; it is asked once. */
const countsRight = new WeakMap<Bson, boolean>();

/** Size of a document in bytes. @throws where the document can't be encoded */
export function sizeInBson(document: object, { BSON }: typeof mongoose.mongo): number {
  let right = countsRight.get(BSON);
  if (right === undefined) {
    // bson 6, under mongoose 8, counts nothing of what a Map holds, and four bytes too few for -0.
    right = BSON.calculateObjectSize({ map: new Map([['a', -0]]) }) === BSON.calculateObjectSize({ map: { a: 0.5 } });
    countsRight.set(BSON, right);
  }
  return BSON.calculateObjectSize(right ? document : (countable(document) as object));
}

/** The same for what is miscounted in it, of the same size. */
function countable(value: unknown): unknown {
  if (Object.is(value, -0)) return 0.5;
  if (Array.isArray(value)) return value.map(countable);
  const entries = value instanceof Map ? [...value] : isPlainObject(value) ? Object.entries(value) : undefined;
  return entries === undefined ? value : Object.fromEntries(entries.map(([name, each]) => [name, countable(each)]));
}
