import { OutboxError, shown } from '../errors.js';

/** Longest id that an inbox takes, in characters (UTF-16 code units). */
const maxIdLength = 1_000;

/** Refuses what can't tell one message from all others. @throws `INVALID_MESSAGE` */
export function checkMessageId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id === '') {
    const got = id === '' ? 'an empty string' : shown(id);
    throw invalid(`must be a string that is not empty: got ${got}; use what the sender names the message by`);
  }
  if (id.length > maxIdLength)
    throw invalid(`must have at most ${maxIdLength} characters: got ${id.length}; use a hash of it`);
  // As UTF-8, half a surrogate pair is U+FFFD, whichever it is: two ids would be one.
  if (Buffer.from(id).toString() !== id)
    throw invalid(`must be well-formed Unicode: got half a surrogate pair in ${shown(id)}; encode it, in base64 say`);
}

/** The id of a message. @throws `INVALID_MESSAGE` */
export function messageIdOf(message: unknown): string {
  if (typeof message !== 'object' || message === null)
    throw new OutboxError('INVALID_MESSAGE', `handle takes a message { id }: got ${shown(message)}`);
  const { id } = message as { id?: unknown };
  checkMessageId(id);
  return id;
}

function invalid(rest: string): OutboxError {
  return new OutboxError('INVALID_MESSAGE', `a message's id ${rest}`);
}
