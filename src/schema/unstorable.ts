/** Where something stands that BSON can't hold, and what it is. */
export interface Unstorable {
  path: string;
  what: string;
}

/** MongoDB's limit of nesting. */
const deepest = 100;

/** Classes whose contents BSON does not see: it would store `{}`. */
const opaque = [Set, WeakMap, WeakSet, Promise] as const;

/** The first thing in the data that BSON would drop, or store as something else, without a word. */
export function findUnstorable(value: unknown, path: string, depth = 0): Unstorable | undefined {
  switch (typeof value) {
    case 'undefined':
      return { path, what: 'undefined' };
    case 'function':
    case 'symbol':
      return { path, what: `a ${typeof value}` };
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? undefined : { path, what: 'a bigint of more than 64 bits' };
    case 'object':
      return value === null ? undefined : findInObject(value, path, depth);
    case 'string':
    case 'number':
    case 'boolean':
      return undefined;
  }
}

function findInObject(value: object, path: string, depth: number): Unstorable | undefined {
  if (depth > deepest) return { path, what: `nested in more than ${deepest} levels, or contains itself` };
  if (Array.isArray(value)) return findInEntries(value.entries(), path, depth);
  if (value instanceof Map) return findInEntries(value, path, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? { path, what: 'an invalid Date' } : undefined;
  const blind = opaque.find((type) => value instanceof type);
  if (blind !== undefined) return { path, what: `a ${blind.name}` };
  // The driver's own types, binary data, and what says itself how it is stored, such as mongoose's documents.
  if ('_bsontype' in value || 'toBSON' in value || ArrayBuffer.isView(value)) return undefined;
  return findInEntries(Object.entries(value), path, depth);
}

function findInEntries(entries: Iterable<[unknown, unknown]>, path: string, depth: number): Unstorable | undefined {
  for (const [key, value] of entries) {
    const name = String(key);
    if (name === '__proto__' || name.includes('\0')) {
      return { path, what: 'an object with a field name that holds NUL, or is __proto__' };
    }
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') continue;
    const found = findUnstorable(value, `${path}.${name}`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
