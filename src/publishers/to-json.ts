/** BSON types by the mark that all versions and copies of the bson package set: https://github.com/mongodb/js-bson */
type Marked = { readonly _bsontype?: string; toString(): string; readonly buffer?: Uint8Array };

/**
 * JSON of a message's data. What JSON has no word for: a Map is an object; a bigint and a Decimal128 are strings of their
 * digits, since a reader would round a number; an ObjectId is its hexadecimal digits, a Date is ISO 8601; bytes are base64.
 */
export function toJson(data: unknown): string {
  return JSON.stringify(data, plain);
}

/** A replacer: `this[key]` is the value before its own `toJSON`. */
function plain(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  if (typeof original === 'bigint') return original.toString();
  if (typeof original !== 'object' || original === null) return value;
  if (original instanceof Map) return Object.fromEntries(original as Map<string, unknown>);
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
  const marked = original as Marked;
  if (marked._bsontype === 'Decimal128' || marked._bsontype === 'Long') return marked.toString();
  if (marked._bsontype === 'Binary') return Buffer.from(marked.buffer ?? []).toString('base64');
  return value;
}
