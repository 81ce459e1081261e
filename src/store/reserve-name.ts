import type { Connection } from 'mongoose';
import { OutboxError, shown } from '../errors.js';

/** On the connection itself, so that two copies of the library (ESM and CJS) see each other. */
const openOutboxes = Symbol.for('service-outbox.openOutboxes');

/** @throws `NAME_IN_USE`. @returns a function that frees the name */
export function reserveName(connection: Connection, name: string): () => void {
  const holder = connection as unknown as { [openOutboxes]?: Set<string> };
  if (holder[openOutboxes] === undefined) Object.defineProperty(holder, openOutboxes, { value: new Set<string>() });
  const names = holder[openOutboxes] as Set<string>;
  if (names.has(name)) {
    throw new OutboxError(
      'NAME_IN_USE',
      `an outbox named ${shown(name)} is open on this connection already: use that one, or close it first`,
    );
  }
  names.add(name);
  return () => void names.delete(name);
}
