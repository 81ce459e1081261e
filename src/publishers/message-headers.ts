import type { Delivered, OutboxMessage } from '../message.js';

/**
 * What travels beside the data to every broker that has headers: the message's own headers, and `id`, `type`, `position`
 * (decimal digits) and `created` (ISO 8601), which take the place of own headers of the same name. Those whose value is
 * undefined or null are left out: clients refuse a whole batch for one.
 */
export function messageHeaders(
  { headers, id, type, position, created }: Delivered<OutboxMessage>,
  more: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const all = { ...headers, ...more, id, type, position: String(position), created: created.toISOString() };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== null),
  );
}
