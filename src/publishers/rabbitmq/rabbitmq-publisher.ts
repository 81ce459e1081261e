import { OutboxError, shown } from '../../errors.js';
import { defined } from '../../internal/check-options.js';
import type { OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { Unavailable } from '../../verdict.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { within } from '../within.js';

import { amqpMessage, type AmqpMessage } from './amqp-message.js';
import type { AmqpSession } from './amqp-session.js';
import { amqpVerdict, type FixedNames } from './amqp-verdict.js';
import { AmqplibSession, isAmqplibConfirmChannel, type AmqplibConfirmChannel } from './amqplib-session.js';
import {
  isRabbitmqClientConnection,
  openRabbitmqClientSession,
  type RabbitmqClientConnection,
} from './rabbitmq-client-session.js';
import { checkRabbitmqOptions, rabbitmqDefaults, type RabbitmqPublisherOptions } from './rabbitmq-options.js';

/** A confirm channel of amqplib, or a connection of rabbitmq-client. */
export type RabbitmqClient = AmqplibConfirmChannel | RabbitmqClientConnection;

/**
 * Publishes to RabbitMQ: persistent messages, each confirmed by the server before it counts as published. At most one message
 * of a key is under way, so that the order of each key is kept.
 *
 * @param client - a connection of rabbitmq-client, which connects again by itself; or a confirm channel of amqplib. A channel
 *   that was closed is never open again: give a function that returns the current one, `() => channel`. Neither is closed here.
 * @throws `INVALID_OPTION`
 * @see https://www.rabbitmq.com/docs/confirms
 */
export function rabbitmqPublisher<M extends OutboxMessage>(
  client: RabbitmqClient | (() => RabbitmqClient | Promise<RabbitmqClient>),
  options: RabbitmqPublisherOptions<M> = {},
): Publisher<M> {
  if (typeof client !== 'function') checkClient(client);
  checkRabbitmqOptions(options);
  const settings = { ...rabbitmqDefaults, ...defined(options) };
  const fixed: FixedNames = {
    exchange: typeof settings.exchange !== 'function',
    routingKey: typeof settings.routingKey === 'string',
  };
  const ms = settings.confirmTimeoutMs;
  return {
    publish: async (messages, { signal }) => {
      let session: AmqpSession | undefined;
      try {
        return await publishInWaves<M, AmqpMessage>(
          messages,
          { signal },
          {
            prepare: (message) => amqpMessage(message, settings),
            send: async (wave) => {
              if (session === undefined || session.closed !== undefined) {
                session?.end();
                session = await open(client, { ms, signal });
              }
              return sendWave(session, wave, fixed, { ms, signal });
            },
          },
        );
      } finally {
        session?.end();
      }
    },
  };
}

interface Limits {
  readonly ms: number;
  readonly signal: AbortSignal;
}

async function sendWave<M extends OutboxMessage>(
  session: AmqpSession,
  wave: readonly Prepared<M, AmqpMessage>[],
  fixed: FixedNames,
  limits: Limits,
): Promise<Refused<M>> {
  const results = await within({ ...limits, what: 'RabbitMQ has confirmed nothing' }, (signOfLife) =>
    session.send(
      wave.map(({ record }) => record),
      signOfLife,
    ),
  );
  const refused = new Map<Prepared<M, AmqpMessage>['message'], unknown>();
  wave.forEach(({ message, record }, index) => {
    const error = amqpVerdict(record, results[index] ?? { kind: 'unknown' }, session.closed, fixed);
    if (error !== undefined) refused.set(message, error);
  });
  return refused;
}

async function open(
  client: RabbitmqClient | (() => RabbitmqClient | Promise<RabbitmqClient>),
  limits: Limits,
): Promise<AmqpSession> {
  const opening = openNow(client);
  try {
    return await within({ ...limits, what: 'there was no channel to RabbitMQ' }, () => opening);
  } catch (error) {
    // It may still come, and nobody would close it.
    opening.then(
      (late) => late.end(),
      () => undefined,
    );
    if (error instanceof OutboxError || error instanceof Unavailable || limits.signal.aborted) throw error;
    throw new Unavailable('there is no channel to RabbitMQ', { cause: error });
  }
}

async function openNow(
  client: RabbitmqClient | (() => RabbitmqClient | Promise<RabbitmqClient>),
): Promise<AmqpSession> {
  const current = typeof client === 'function' ? await client() : client;
  checkClient(current);
  return isAmqplibConfirmChannel(current) ? new AmqplibSession(current) : openRabbitmqClientSession(current);
}

/** @throws `INVALID_OPTION` */
function checkClient(client: unknown): asserts client is RabbitmqClient {
  if (typeof client === 'object' && client !== null) {
    if (isAmqplibConfirmChannel(client) || isRabbitmqClientConnection(client)) return;
  }
  throw new OutboxError(
    'INVALID_OPTION',
    'rabbitmqPublisher takes a confirm channel of amqplib (await connection.createConfirmChannel()), a connection of ' +
      `rabbitmq-client (new Connection(url)), or a function that returns one: got ${shown(client)}`,
  );
}
