import { OutboxError, shown } from '../errors.js';

const reservedEndings = ['.pending', '.state', '.failures', '.inbox'] as const;

/** Longest name of an outbox or inbox, in characters: MongoDB allows 255 bytes for database and collection together. */
const maxNameLength = 100;

/** The collections of the outbox `name`. */
export function collectionNames(name: string) {
  return { log: name, pending: `${name}.pending`, state: `${name}.state`, failures: `${name}.failures` } as const;
}

/** The collection of the inbox `name`. */
export const inboxCollection = (name: string) => `${name}.inbox`;

/** Which of an outbox's collections. */
export type CollectionRole = keyof ReturnType<typeof collectionNames>;

/**
 * Refuses names that MongoDB refuses for a collection, and those that would clash with the collections of another outbox or inbox.
 * Source: https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
 */
export function checkName(name: unknown, of: 'outbox' | 'inbox' = 'outbox'): asserts name is string {
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) {
    throw new OutboxError(
      'INVALID_NAME',
      `an ${of}'s name must begin with a letter or _ and hold only letters, digits, _ . and -: got ${shown(name)}`,
    );
  }
  if (name.length > maxNameLength || name.endsWith('.') || name.includes('..')) {
    throw new OutboxError(
      'INVALID_NAME',
      `an ${of}'s name must have at most ${maxNameLength} characters and no empty part between dots: got ${shown(name)}`,
    );
  }
  if (name.startsWith('system.') || reservedEndings.some((ending) => name.endsWith(ending))) {
    throw new OutboxError(
      'INVALID_NAME',
      `an ${of}'s name must not begin with "system." nor end with ${reservedEndings.join(', ')}: got ${shown(name)}`,
    );
  }
}
