/** Messages as CloudEvents over HTTP. */
export type { RequestHeaders, WebhookOptions } from './publishers/webhook/webhook-options.js';
export { webhookPublisher } from './publishers/webhook/webhook-publisher.js';
export type { CloudEventOptions, Extensions } from './cloudevents/cloud-event-options.js';
export type { Secret } from './publishers/webhook/signature.js';
export type { TextOf } from './publishers/by-message.js';
