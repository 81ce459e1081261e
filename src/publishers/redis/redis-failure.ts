/** What an error of XADD says. */
export type RedisFailure =
  /** The key holds something else than a stream. */
  | 'wrong-type'
  /** The user may not write to the key. */
  | 'denied'
  /** The server takes nothing now, or can't be reached. */
  | 'outage'
  /** The server refused this command. */
  | 'own';

/** By the first word of a reply, which both clients keep: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
export function redisFailure(error: unknown): RedisFailure {
  const text = error instanceof Error ? error.message : '';
  switch (/^[A-Z]+(?= )/.exec(text)?.[0] ?? '') {
    case 'WRONGTYPE':
      return 'wrong-type';
    case 'NOPERM':
      // Of the command, or of this key.
      return /\bkeys?\b/.test(text) ? 'denied' : 'outage';
    case 'ERR':
      return /unknown command|max number of clients/i.test(text) ? 'outage' : 'own';
    default:
      // OOM, READONLY, LOADING, MASTERDOWN, CLUSTERDOWN, NOREPLICAS, MISCONF, BUSY, NOAUTH …, and whatever is no reply.
      return 'outage';
  }
}

/** The client's error without the command, which holds the payload. */
export function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const text = error.message.replace(/, with args beginning with:.*$/s, '');
  if (!('command' in error) && text === error.message) return error;
  const bare = new Error(text);
  bare.name = error.name;
  return bare;
}
