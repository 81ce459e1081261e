import type { PutEventsCommandOutput, PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';

import { shown } from '../../errors.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import type { Publisher } from '../../publisher.js';
import { PermanentError } from '../../verdict.js';
import { checkFunctionsOf, checkTextOf, textFor, type TextOf } from '../by-message.js';
import { toJson } from '../to-json.js';
import { checkClient, loaded, type AwsClient } from './aws-client.js';
import { resolveAwsOptions, type AwsOptions } from './aws-options.js';
import { utf8Bytes } from './aws-text.js';
import type { AwsFailure } from './aws-verdict.js';
import { publishEntries, type Entry } from './publish-entries.js';

/** How messages are sent to EventBridge. */
export interface EventBridgeOptions<M extends OutboxMessage> extends AwsOptions {
  /** The event's source, such as `"com.example.orders"`; not `aws.…`. */
  readonly source: TextOf<M>;
  /** Name or ARN of the bus, or a function of the message. @defaultValue the account's default bus */
  readonly eventBusName?: TextOf<M>;
  /** The event's detail type. @defaultValue the message's type */
  readonly detailType?: TextOf<M>;
  /** The event's detail. @defaultValue `{ id, type, position, created, key, headers, data }` */
  readonly detail?: (message: Delivered<M>) => object;
}

/**
 * Sends messages to Amazon EventBridge by PutEvents. EventBridge keeps no order, and recognises no repeats.
 *
 * @param client an `EventBridgeClient` of @aws-sdk/client-eventbridge; it is never closed
 * @throws `INVALID_OPTION`
 */
export function eventBridgePublisher<M extends OutboxMessage>(
  client: AwsClient,
  options: EventBridgeOptions<M>,
): Publisher<M> {
  const texts = ['source', 'eventBusName', 'detailType'] as const;
  const { maxBatchBytes, concurrency, timeoutMs } = resolveAwsOptions(options, [...texts, 'detail'], 262_144);
  checkClient(client, 'EventBridge');
  for (const name of texts) checkTextOf(name, options[name], name === 'source');
  checkFunctionsOf(options, ['detail']);
  const isPerMessage = typeof options.eventBusName === 'function' || typeof options.source === 'function';
  return {
    publish: (messages, context) =>
      publishEntries(messages, context, {
        name: 'EventBridge',
        permission: 'events:PutEvents',
        isPerMessage,
        ...{ mostBytes: maxBatchBytes, concurrency, timeoutMs },
        prepare: (message) => entryOf(message, options),
        send: async (_, entries, abortSignal) => {
          const { PutEventsCommand } = await loaded(
            '@aws-sdk/client-eventbridge',
            () => import('@aws-sdk/client-eventbridge'),
          );
          const command = new PutEventsCommand({ Entries: [...entries] });
          const { Entries } = (await client.send(command as never, { abortSignal })) as PutEventsCommandOutput;
          return new Map(
            (Entries ?? []).flatMap(({ ErrorCode: name }, index): [number, AwsFailure][] =>
              name === undefined ? [] : [[index, { name }]],
            ),
          );
        },
      }),
  };
}

function entryOf<M extends OutboxMessage>(
  message: Delivered<M>,
  options: EventBridgeOptions<M>,
): Entry<PutEventsRequestEntry> {
  const { source, eventBusName, detailType = ({ type }) => type, detail = defaultDetail } = options;
  const Source = textFor('source', source, message);
  const DetailType = textFor('detailType', detailType, message);
  const value: unknown = detail(message);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new PermanentError(`option detail must give an object for each message: got ${shown(value)}`);
  const Detail = toJson(value);
  return {
    // The entries of one request may go to several buses.
    destination: '',
    bytes: entryBytes(Source, DetailType, Detail),
    entry: {
      ...{ Source, DetailType, Detail, Time: message.created },
      ...(eventBusName === undefined ? {} : { EventBusName: textFor('eventBusName', eventBusName, message) }),
    },
  };
}

/** Size of an entry with a time and without resources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
function entryBytes(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + utf8Bytes(text), 14);
}

function defaultDetail({ id, type, position, created, key, headers, data }: Delivered<OutboxMessage>): object {
  return { id, type, position, created, key, headers, data };
}
