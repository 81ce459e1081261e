import type { Delivered, OutboxMessage } from '../../message.js';
import { textFor } from '../by-message.js';
import { toJson } from '../to-json.js';

import type { RedisCommand } from './redis-client.js';
import type { RedisPublisherOptions } from './redis-options.js';

/**
 * The XADD of a message: https://redis.io/docs/latest/commands/xadd/. Fields of an entry: `id`, `type`, `position` (decimal digits),
 * `created` (ISO 8601), `key` (left out without one), `data`, and `headers` (a JSON object, left out where it is empty).
 */
export function streamEntry<M extends OutboxMessage>(
  message: Delivered<M>,
  options: RedisPublisherOptions<M>,
): RedisCommand {
  const { id, type, position, created, key, data } = message;
  const stream = textFor('stream', options.stream, message);
  const fields: (string | Buffer)[] = [
    ...['id', id, 'type', type, 'position', String(position), 'created', created.toISOString()],
    ...(key === undefined ? [] : ['key', key]),
    'data',
    options.content === undefined ? toJson(data) : textOrBuffer(options.content(message)),
  ];
  const headers = Object.entries({ ...message.headers, ...options.headers?.(message) }).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  if (headers.length > 0) fields.push('headers', JSON.stringify(Object.fromEntries(headers)));
  return { key: stream, args: [stream, ...trimming(options), '*', ...fields] };
}

function trimming({ maxLength, trim }: Pick<RedisPublisherOptions<OutboxMessage>, 'maxLength' | 'trim'>): string[] {
  return maxLength === undefined ? [] : ['MAXLEN', trim === 'exact' ? '=' : '~', String(maxLength)];
}

function textOrBuffer(content: string | Uint8Array): string | Buffer {
  return typeof content === 'string' ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}
