import { defined } from '../../internal/check-options.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { textFor } from '../by-message.js';
import { messageHeaders } from '../message-headers.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { toJson } from '../to-json.js';
import { within } from '../within.js';

import { checkNatsClient, type NatsJetStreamClient } from './nats-client.js';
import { natsFailure } from './nats-failure.js';
import { NatsHeaders } from './nats-headers.js';
import { checkNatsOptions, isSubject, natsDefaults, type NatsPublisherOptions } from './nats-options.js';

/** What is sent for one message. */
interface NatsMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: NatsHeaders;
  readonly id: string;
}

/**
 * Publishes to NATS JetStream: each message is acknowledged by the stream that stores it, and carries its id, by which the
 * server drops what it has stored already. At most one message of a key is under way, so that the order of each key is kept.
 *
 * @param jetstream - of @nats-io/jetstream 3 or nats 2, on a connection that goes on connecting: `maxReconnectAttempts: -1`. It is
 *   not closed here.
 * @throws `INVALID_OPTION`
 * @see https://docs.nats.io/nats-concepts/jetstream
 */
export function natsPublisher<M extends OutboxMessage>(
  jetstream: NatsJetStreamClient,
  options: NatsPublisherOptions<M>,
): Publisher<M> {
  checkNatsClient(jetstream);
  checkNatsOptions(options);
  const settings = { ...natsDefaults, ...defined(options) };
  const ms = settings.ackTimeoutMs;
  return {
    publish: (messages, { signal }) =>
      publishInWaves<M, NatsMessage>(
        messages,
        { signal },
        {
          prepare: (message) => natsMessage(message, settings),
          send: (wave) =>
            within({ ms: ms + 5_000, signal, what: 'NATS has acknowledged nothing' }, (signOfLife) =>
              sendWave(jetstream, wave, { ms, isFixed: typeof settings.subject === 'string', signOfLife }),
            ),
        },
      ),
  };
}

interface Sending {
  readonly ms: number;
  /** Whether the user gave one subject for all messages. */
  readonly isFixed: boolean;
  readonly signOfLife: () => void;
}

async function sendWave<M extends OutboxMessage>(
  jetstream: NatsJetStreamClient,
  wave: readonly Prepared<M, NatsMessage>[],
  { ms, isFixed, signOfLife }: Sending,
): Promise<Refused<M>> {
  const refused = new Map<Delivered<M>, unknown>();
  await Promise.all(
    wave.map(async ({ message, record: { subject, payload, headers, id } }) => {
      try {
        // A duplicate is acknowledged as well: it is stored.
        await jetstream.publish(subject, payload, { timeout: ms, headers, ...(id === '' ? {} : { msgID: id }) });
        signOfLife();
      } catch (error) {
        refused.set(message, await verdict(jetstream, subject, error, isFixed));
      }
    }),
  );
  return refused;
}

async function verdict(
  jetstream: NatsJetStreamClient,
  subject: string,
  error: unknown,
  isFixed: boolean,
): Promise<unknown> {
  const options = { cause: error };
  switch (natsFailure(error)) {
    case 'refused':
      return new PermanentError('NATS can not take this message: it is too large, or its subject is none', options);
    case 'own':
      return error;
    case 'denied': {
      const text = `NATS does not let this user publish to "${subject}"`;
      return isFixed
        ? new Unavailable(`${text}. Allow it; the publisher goes on then`, options)
        : new PermanentError(text, options);
    }
    case 'no-responders': {
      const text = `no JetStream stream takes the subject "${subject}"`;
      if (isFixed) return new Unavailable(`${text}. Create one; the publisher goes on then`, options);
      // A stream that has no leader just now does not answer either.
      return (await isWithoutStream(jetstream, subject))
        ? new PermanentError(text, options)
        : new Unavailable(`nothing answers for the subject "${subject}"`, options);
    }
    case 'outage':
      return new Unavailable('NATS has not acknowledged', options);
  }
}

/** Whether the server says that there is none; not known: false. */
async function isWithoutStream(jetstream: NatsJetStreamClient, subject: string): Promise<boolean> {
  try {
    const manager = await jetstream.jetstreamManager(false);
    await manager.streams.find(subject);
    return false;
  } catch (error) {
    return error instanceof Error && error.message === 'no stream matches subject';
  }
}

/** @throws PermanentError for what can never be sent */
function natsMessage<M extends OutboxMessage>(message: Delivered<M>, options: NatsPublisherOptions<M>): NatsMessage {
  const subject = textFor('subject', options.subject, message);
  if (!isSubject(subject))
    throw new PermanentError(
      `option subject must give words with dots between them, without blanks and wildcards: got ${JSON.stringify(subject)}`,
    );
  const id = options.messageId === undefined ? message.id : options.messageId(message);
  if (/[\r\n]/.test(id)) throw new PermanentError('NATS can not carry a line break in the id of a message');
  const content = options.content === undefined ? toJson(message.data) : options.content(message);
  return {
    subject,
    payload: typeof content === 'string' ? Buffer.from(content) : content,
    headers: new NatsHeaders(messageHeaders(message, { ...options.headers?.(message), key: message.key })),
    id,
  };
}
