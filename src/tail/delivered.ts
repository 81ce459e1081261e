import type { Reviver } from '../schema/revive.js';
import type { StoredEntry } from '../store/read-log-page.js';

/** The message as readers get it. */
export function toDelivered<D>(entry: StoredEntry, reviver: Reviver): D {
  const type = entry.type as string;
  return {
    type,
    data: reviver.data(type, entry.data),
    id: entry.id ?? idOf(entry.token),
    position: entry._id,
    created: entry.created,
    ...(entry.key === undefined ? {} : { key: entry.key }),
    headers: entry.headers ?? {},
  } as D;
}

/** Our tokens are ObjectIds; a message put by other hands may have anything. */
function idOf(token: unknown): string {
  const objectId = token as { toHexString?: () => string } | null | undefined;
  return objectId?.toHexString?.() ?? (typeof token === 'string' ? token : JSON.stringify(token));
}
