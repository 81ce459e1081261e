import type mongoose from 'mongoose';
import { OutboxError, shown } from '../errors.js';
import type { OutboxMessage } from '../message.js';
import { isPlainObject } from './payload-schema.js';
import type { PutModels } from './put-models.js';
import { sizeInBson } from './size-in-bson.js';

/** A document of `<name>.pending`. */
export interface PendingMessage {
  /** The token. */
  _id: mongoose.mongo.ObjectId;
  /** `Timestamp(0, 0)`, which the server replaces by its cluster time on insert. */
  ts: mongoose.mongo.Timestamp;
  type: string;
  data: object;
  id?: string;
  key?: string;
  headers?: Record<string, string>;
}

/** Longest id and key, in bytes of UTF-8. */
export const maxIdBytes = 1_024;

/** What a log entry holds beside the pending message: position, created, epoch and running count, with room to spare. */
const entryOverheadBytes = 128;

/** BSON limit of a document, less room for what the log, and later records about the message, add to it. */
const maxDocumentBytes = 16 * 1024 * 1024 - 64 * 1024;

/** Objects that hold no fields: mongoose would store them as `{}`. */
const notFields = [Array, Map, Set, Date] as const;

const messageKeys = new Set(['type', 'data', 'id', 'key', 'headers']);

/** Largest message, in bytes of BSON, for a log of `sizeBytes`: an eighth of the log, and less than the BSON limit. */
export function largestMessage(sizeBytes: number): number {
  return Math.min(maxDocumentBytes, Math.floor(sizeBytes / 8));
}

/** Checks, casts and encodes one message; sends nothing. */
export async function toPending(
  message: unknown,
  models: PutModels,
  mongo: typeof mongoose.mongo,
  maxBytes: number,
): Promise<PendingMessage> {
  checkMessage(message);
  const { id, key, headers } = message;
  const pending: PendingMessage = {
    _id: new mongo.ObjectId(),
    ts: new mongo.Timestamp({ t: 0, i: 0 }),
    type: message.type,
    data: await models.cast(message.type, message.data),
    ...(id === undefined ? {} : { id }),
    ...(key === undefined ? {} : { key }),
    ...(headers === undefined || Object.keys(headers).length === 0 ? {} : { headers: { ...headers } }),
  };
  const bytes = sizeOf(pending, mongo) + entryOverheadBytes;
  if (bytes > maxBytes) {
    throw new OutboxError(
      'MESSAGE_TOO_LARGE',
      `a message of type ${shown(message.type)} takes ${bytes} bytes in the log; at most ${maxBytes} are allowed (an eighth of the log, and less than MongoDB's document limit): put a reference to large data, or make the log larger (sizeBytes)`,
    );
  }
  return pending;
}

function sizeOf(pending: PendingMessage, mongo: typeof mongoose.mongo): number {
  try {
    return sizeInBson(pending, mongo);
  } catch (error) {
    throw invalid(
      `the data of message type ${shown(pending.type)} can't be encoded (${(error as Error).name}): ObjectId, Decimal128 and the like must come from the driver of this outbox's own mongoose`,
    );
  }
}

/** Checks everything of a message but its data against its type. */
function checkMessage(message: unknown): asserts message is OutboxMessage {
  if (!isPlainObject(message)) throw invalid(`a message must be an object { type, data }: got ${shown(message)}`);
  const extra = Object.keys(message).find((name) => !messageKeys.has(name));
  if (extra !== undefined)
    throw invalid(
      `a message has the field ${shown(extra)}: only ${[...messageKeys].join(', ')} are allowed; put what belongs to the payload inside data`,
    );
  const { type, data, id, key, headers } = message;
  if (typeof type !== 'string') throw invalid(`a message's type must be a string: got ${shown(type)}`);
  if (typeof data !== 'object' || data === null || notFields.some((type) => data instanceof type))
    throw invalid(`the data of message type ${shown(type)} must be an object: got ${shown(data)}`);
  checkText('id', id, type);
  checkText('key', key, type);
  checkHeaders(headers, type);
}

function checkText(field: 'id' | 'key', value: unknown, type: string): void {
  if (value === undefined) return;
  if (typeof value !== 'string' || value === '') {
    const got = typeof value === 'string' ? 'an empty string' : `${value === null ? 'null' : `a ${typeof value}`}`;
    throw invalid(
      `the ${field} of a message of type ${shown(type)} must be a string that is not empty: got ${got}; leave it out where there is none`,
    );
  }
  const bytes = Buffer.byteLength(value);
  if (bytes > maxIdBytes)
    throw invalid(
      `the ${field} of a message of type ${shown(type)} must have at most ${maxIdBytes} bytes: got ${bytes}`,
    );
}

function checkHeaders(headers: unknown, type: string): void {
  if (headers === undefined) return;
  if (!isPlainObject(headers))
    throw invalid(
      `the headers of a message of type ${shown(type)} must be an object of strings: got ${shown(headers)}`,
    );
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string')
      throw invalid(
        `the header ${shown(name)} of a message of type ${shown(type)} must be a string: got ${shown(typeof value)}`,
      );
    if (name === '' || name.includes('\0'))
      throw invalid(
        `a header's name must not be empty nor hold NUL: got ${shown(name)} in a message of type ${shown(type)}`,
      );
  }
}

function invalid(text: string): OutboxError {
  return new OutboxError('INVALID_MESSAGE', text);
}
