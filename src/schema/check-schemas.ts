import { OutboxError, shown } from '../errors.js';
import { isPlainObject } from './payload-schema.js';

const reserved = ['version', 'upcast'];

/** Checks the outer shape of the schemas: `{ [type]: { data } }`; what is inside `data` is checked as it is compiled. */
export function checkSchemas(schemas: unknown): asserts schemas is Record<string, { data: unknown }> {
  if (!isPlainObject(schemas)) {
    throw new OutboxError(
      'INVALID_SCHEMA',
      `the schemas must be an object { [type]: { data } }: got ${shown(schemas)}`,
    );
  }
  if (Object.keys(schemas).length === 0) {
    throw new OutboxError(
      'INVALID_SCHEMA',
      'the schemas are empty: declare at least one message type as { [type]: { data } }',
    );
  }
  for (const [type, entry] of Object.entries(schemas)) {
    if (type === '' || type.includes('\0') || type.length > 256) {
      throw new OutboxError(
        'INVALID_SCHEMA',
        `a message type must have 1 to 256 characters and no NUL: got ${shown(type)}`,
      );
    }
    if (!isPlainObject(entry) || entry['data'] === undefined) {
      throw new OutboxError(
        'INVALID_SCHEMA',
        `the schema of message type ${shown(type)} must be { data: … }: got ${shown(entry)}`,
      );
    }
    const extra = Object.keys(entry).find((key) => key !== 'data');
    if (extra !== undefined) {
      const why = reserved.includes(extra) ? 'is reserved' : 'is unknown';
      throw new OutboxError(
        'INVALID_SCHEMA',
        `the key ${shown(extra)} in the schema of message type ${shown(type)} ${why}: only data is allowed`,
      );
    }
  }
}
