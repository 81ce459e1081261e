import type { CloudEvent } from '../../cloudevents/cloud-event.js';
import { toHttp, toHttpBatch, type HttpContent } from '../../cloudevents/http-binding.js';
import { toCloudEvent } from '../../cloudevents/to-cloud-event.js';
import type { Delivered, OutboxMessage } from '../../message.js';
import type { PublishContext, Publisher, PublishResult } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { asUnavailable } from '../as-unavailable.js';
import { inParts, publishInPortions } from '../publish-in-portions.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { adviceFor, answerOf, retryAfterMs } from './answer.js';
import { post } from './post.js';
import { sendEach } from '../send-each.js';
import { batchId, signatureHeaders, webhookId } from './signature.js';
import {
  resolveUrl,
  resolveWebhookOptions,
  toHeaders,
  type ResolvedWebhookOptions,
  type WebhookOptions,
} from './webhook-options.js';

/**
 * Sends messages as CloudEvents to a webhook, by POST. A status of 2xx acknowledges; which others are outages, and which
 * refuse a message for good, says `outageStatuses`. A destination that answers with Retry-After gets no request until then.
 *
 * ```ts
 * const relay = outbox.relay('billing', webhookPublisher('https://billing.example.com/events', {
 *   source: '/orders',
 *   secret: process.env.BILLING_WEBHOOK_SECRET,
 * }));
 * ```
 *
 * @param url of http or https, without user and password
 * @throws `INVALID_OPTION`
 */
export function webhookPublisher<M extends OutboxMessage>(url: string | URL, options: WebhookOptions<M>): Publisher<M> {
  return new WebhookPublisher(resolveUrl(url), resolveWebhookOptions(options));
}

class WebhookPublisher<M extends OutboxMessage> implements Publisher<M> {
  /** Until when the destination wants to be left alone, by the monotonic clock. */
  #busyUntil = 0;

  constructor(
    private readonly url: URL,
    private readonly options: ResolvedWebhookOptions<M>,
  ) {}

  async publish(messages: readonly Delivered<M>[], context: PublishContext): Promise<PublishResult> {
    const prepare = (message: Delivered<M>) => toCloudEvent(message, this.options.event);
    if (this.options.mode === 'batch')
      return publishInPortions(messages, context, {
        prepare,
        cut: (prepared) => inParts(prepared, this.options.messagesPerRequest),
        send: (events) => this.#post(toHttpBatch(events), batchId(events.map(({ id }) => id)), context.signal),
      });
    return publishInWaves(messages, context, { prepare, send: (wave) => this.#sendWave(wave, context.signal) });
  }

  /** What was acknowledged is known beside what was not. */
  async #sendWave(wave: readonly Prepared<M, CloudEvent>[], signal: AbortSignal): Promise<Refused<M>> {
    const mode = this.options.mode === 'binary' ? 'binary' : 'structured';
    const { sent, stopped } = await sendEach(wave, this.options.concurrency, ({ message, record }) =>
      this.#post(toHttp(record, mode), webhookId(message.id), signal),
    );
    if (stopped !== undefined && sent.size === 0) throw stopped.error;
    const refused = [...sent].filter(([, error]) => error !== undefined);
    const unsent = (stopped?.items ?? []).map((each) => [each, asUnavailable(stopped?.error)] as const);
    return new Map([...refused, ...unsent].map(([{ message }, error]) => [message, error]));
  }

  /** @returns why the destination refused what was sent, if it did; rejects when it could not say */
  async #post(content: HttpContent, id: string, signal: AbortSignal): Promise<PermanentError | undefined> {
    const { url, options } = this;
    const waitMs = this.#busyUntil - performance.now();
    if (waitMs > 0) throw new Unavailable(`${url.origin} asked to be left alone for another ${Math.ceil(waitMs)} ms`);
    const headers = await this.#headers(content, id);
    const { status, retryAfter, date } = await post(url, { headers, body: content.body }, options.timeoutMs, signal);
    switch (answerOf(status, options.outageStatuses)) {
      case 'taken':
        return undefined;
      case 'refused':
        return new PermanentError(`${url.origin} refused the message with status ${status}`);
      case 'unavailable':
        this.#leaveAlone(retryAfterMs(retryAfter, date, Date.now()));
        throw new Unavailable(`${url.origin} answered with status ${status}: ${adviceFor(status)}`);
    }
  }

  async #headers(content: HttpContent, id: string): Promise<Headers> {
    const { headers: given, keys } = this.options;
    let headers: Headers;
    try {
      headers = toHeaders(await given());
    } catch (error) {
      throw new Unavailable('option headers gave no headers that can be sent', { cause: error });
    }
    const signature = keys.length === 0 ? {} : signatureHeaders(id, content.body, keys, Date.now());
    for (const [name, value] of Object.entries({ ...content.headers, ...signature })) headers.set(name, value);
    return headers;
  }

  #leaveAlone(ms: number): void {
    if (ms > 0) this.#busyUntil = Math.max(this.#busyUntil, performance.now() + ms);
  }
}
