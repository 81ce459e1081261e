import { checkCloudEventOptions, type CloudEventOptions } from '../../cloudevents/cloud-event-options.js';
import { shown } from '../../errors.js';
import { checkKnown, checkWholeNumbers, checkWord, defined, invalidOption } from '../../internal/check-options.js';
import type { OutboxMessage } from '../../message.js';
import { signingKeys, type Secret } from './signature.js';

/** How messages are sent to a webhook. */
export interface WebhookOptions<M extends OutboxMessage> extends CloudEventOptions<M> {
  /**
   * `"structured"`: one request a message, its body the whole CloudEvent, so that a signature covers all of it.
   * `"binary"`: one request a message, its body the data, the attributes in headers `ce-…`, which a signature does not cover.
   * `"batch"`: many messages in one request, in their order, as an array of CloudEvents.
   * @defaultValue "structured"
   */
  readonly mode?: 'structured' | 'binary' | 'batch';
  /** Most requests at once, each for a message of another key; in batch mode there is one. 1 to 1,000. @defaultValue 10 */
  readonly concurrency?: number;
  /** Most messages of one request in batch mode. 1 to 10,000. @defaultValue 100 */
  readonly messagesPerRequest?: number;
  /**
   * Signs requests by Standard Webhooks: `whsec_…` (base64) or the bytes of the key. Several while a secret is being
   * replaced: each signs, and the receiver takes any.
   * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
   * @defaultValue no signature
   */
  readonly secret?: Secret | readonly Secret[];
  /** More headers for each request, such as `authorization`; a function is called for each request. @defaultValue none */
  readonly headers?: RequestHeaders | (() => RequestHeaders | Promise<RequestHeaders>);
  /** Longest time for one request and its answer, in milliseconds. 1 to 300,000. @defaultValue 30,000 */
  readonly timeoutMs?: number;
  /**
   * Statuses, beside 408, 425, 429 and 5xx, that say that the destination is wrong and not one message: the relay waits and
   * spends no attempt. All other statuses of 400 to 499 are permanent failures of their message.
   * @defaultValue [401, 403]: a secret that was replaced on one side only must not turn messages into dead letters
   */
  readonly outageStatuses?: readonly number[];
}

/** Headers by name. */
export type RequestHeaders = Readonly<Record<string, string>>;

export const defaults = {
  mode: 'structured',
  concurrency: 10,
  messagesPerRequest: 100,
  timeoutMs: 30_000,
  outageStatuses: [401, 403],
} as const satisfies Partial<WebhookOptions<OutboxMessage>>;

const eventOptions = ['source', 'subject', 'extensions'] as const;
const known = [
  ...eventOptions,
  'mode',
  'concurrency',
  'messagesPerRequest',
  'secret',
  'headers',
  'timeoutMs',
  'outageStatuses',
];

/** The options as the publisher uses them. */
export interface ResolvedWebhookOptions<M extends OutboxMessage> {
  readonly event: CloudEventOptions<M>;
  readonly mode: 'structured' | 'binary' | 'batch';
  readonly concurrency: number;
  readonly messagesPerRequest: number;
  readonly timeoutMs: number;
  readonly outageStatuses: ReadonlySet<number>;
  /** Empty: requests are not signed. */
  readonly keys: readonly Uint8Array[];
  readonly headers: () => RequestHeaders | Promise<RequestHeaders>;
}

/** @throws `INVALID_OPTION` */
export function resolveWebhookOptions<M extends OutboxMessage>(given: WebhookOptions<M>): ResolvedWebhookOptions<M> {
  checkKnown(given, known);
  const event = defined(
    Object.fromEntries(eventOptions.map((name) => [name, given[name]])) as unknown as CloudEventOptions<M>,
  );
  checkCloudEventOptions(event);
  checkWord('mode', given.mode, ['structured', 'binary', 'batch']);
  checkWholeNumbers(given, { concurrency: [1, 1_000], messagesPerRequest: [1, 10_000], timeoutMs: [1, 300_000] });
  checkStatuses(given.outageStatuses);
  checkHeaders(given.headers);
  const { mode, concurrency, messagesPerRequest, timeoutMs, outageStatuses } = { ...defaults, ...defined(given) };
  const { headers = {} } = given;
  return {
    ...{ event, mode, concurrency, messagesPerRequest, timeoutMs, outageStatuses: new Set(outageStatuses) },
    keys: signingKeys(given.secret),
    headers: typeof headers === 'function' ? headers : () => headers,
  };
}

/** Where requests go. @throws `INVALID_OPTION`, whose text holds nothing of the url: its path may be a secret */
export function resolveUrl(given: unknown): URL {
  let url: URL;
  try {
    url = new URL(given as string | URL);
  } catch {
    throw invalidOption('url', 'must be an absolute url', 'got something else');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalidOption('url', 'must begin with https:// or http://', `got ${shown(url.protocol)}`);
  if (url.username !== '' || url.password !== '')
    throw invalidOption('url', 'must hold no user and password', 'send them by option headers, as authorization');
  return url;
}

function checkStatuses(value: unknown): void {
  if (value === undefined) return;
  const isStatus = (each: unknown) => Number.isInteger(each) && (each as number) >= 400 && (each as number) <= 499;
  if (!Array.isArray(value) || !value.every(isStatus))
    throw invalidOption('outageStatuses', 'must be an array of statuses from 400 to 499', `got ${shown(value)}`);
}

function checkHeaders(value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidOption('headers', 'must be an object of texts, or a function that gives one', `got a ${typeof value}`);
  toHeaders(value as RequestHeaders);
}

/** Headers that fetch can send. @throws `INVALID_OPTION`, without a header's value: the error of fetch quotes it */
export function toHeaders(given: RequestHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    try {
      if (typeof value !== 'string') throw new TypeError();
      headers.set(name, value);
    } catch {
      throw invalidOption('headers', 'must hold names and values that HTTP allows', `look at ${shown(name)}`);
    }
  }
  return headers;
}
