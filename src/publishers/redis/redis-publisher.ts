import { defined } from '../../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { within } from '../within.js';

import { addAll, checkRedisClient, isReady, type RedisClient, type RedisCommand } from './redis-client.js';
import { redisFailure, withoutCommand } from './redis-failure.js';
import { checkRedisOptions, redisDefaults, type RedisPublisherOptions } from './redis-options.js';
import { streamEntry } from './stream-entry.js';

/**
 * Publishes to Redis Streams: an XADD for each message, in pipelines. At most one message of a key is under way, so that the order
 * of each key is kept. What Redis acknowledges is on its disk only with `appendonly yes` and `appendfsync always`.
 *
 * @param client - of ioredis 5 or 6, or node-redis 4, 5 or 6, or a cluster of either. It is not closed here.
 * @throws `INVALID_OPTION`
 * @see https://redis.io/docs/latest/develop/data-types/streams/
 */
export function redisPublisher<M extends OutboxMessage>(
  client: RedisClient,
  options: RedisPublisherOptions<M>,
): Publisher<M> {
  checkRedisClient(client);
  checkRedisOptions(options);
  const settings = { ...redisDefaults, ...defined(options) };
  const isFixed = typeof settings.stream === 'string';
  return {
    publish: (messages, { signal }) =>
      publishInWaves<M, RedisCommand>(
        messages,
        { signal },
        {
          prepare: (message) => streamEntry(message, settings),
          send: async (wave) => {
            // Sent now it would be kept by the client, and so would each repeat of it.
            if (!isReady(client)) throw new Unavailable('the Redis client is not connected');
            const limits = { ms: settings.replyTimeoutMs, signal, what: 'Redis has answered nothing' };
            const errors = await within(limits, (onReply) => add(client, wave, onReply));
            return refusals(wave, errors, isFixed);
          },
        },
      ),
  };
}

async function add<M extends OutboxMessage>(
  client: RedisClient,
  wave: readonly Prepared<M, RedisCommand>[],
  onReply: () => void,
): Promise<readonly unknown[]> {
  const commands = wave.map(({ record }) => record);
  try {
    return await addAll(client, commands, onReply);
  } catch (error) {
    throw new Unavailable('Redis can not be reached', { cause: withoutCommand(error) });
  }
}

function refusals<M extends OutboxMessage>(
  wave: readonly Prepared<M, RedisCommand>[],
  errors: readonly unknown[],
  isFixed: boolean,
): Refused<M> {
  const refused = new Map<Delivered<M>, unknown>();
  wave.forEach(({ message, record }, index) => {
    const error = errors[index];
    if (error !== undefined) refused.set(message, verdict(record.key, error, isFixed));
  });
  return refused;
}

function verdict(stream: string, error: unknown, isFixed: boolean): unknown {
  const bare = withoutCommand(error);
  const options = { cause: bare };
  const named = (text: string, help: string): Error =>
    isFixed
      ? new Unavailable(`${text}. ${help}; the publisher goes on then`, options)
      : new PermanentError(text, options);
  switch (redisFailure(error)) {
    case 'wrong-type':
      return named(
        `the key "${stream}" of Redis holds something else than a stream`,
        'Remove it, or choose another one',
      );
    case 'denied':
      return named(`Redis does not let this user write to the key "${stream}"`, 'Allow it');
    case 'own':
      return bare;
    case 'outage':
      return new Unavailable('Redis takes nothing now, or can not be reached', options);
  }
}
