import type { Reviver } from '../schema/revive.js';
import type { StoredEntry } from './read-log-page.js';

/** The message as readers get it. */
export function toDelivered<D>(entry: StoredEntry, reviver: Reviver): D {
  const type = entry.type as string;
  const message: Record<string, unknown> = {
    type,
    data: reviver.data(type, entry.data),
    id: idOf(entry),
    position: entry._id,
    created: entry.created,
    headers: entry.headers ?? {},
  };
  if (entry.key !== undefined) message['key'] = entry.key;
  return message as D;
}

/** Our tokens are ObjectIds; a message put by other hands may have anything. */
export function idOf(entry: Pick<StoredEntry, 'id' | 'token'>): string {
  if (entry.id !== undefined) return entry.id;
  const { token } = entry;
  const objectId = token as { toHexString?: () => string } | null | undefined;
  return objectId?.toHexString?.() ?? (typeof token === 'string' ? token : JSON.stringify(token));
}
