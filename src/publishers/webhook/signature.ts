import { createHash, createHmac } from 'node:crypto';

import { percentEncode } from '../../cloudevents/percent-encoding.js';
import { invalidOption } from '../../internal/check-options.js';

/** A key: `whsec_` and its base64, or its bytes. */
export type Secret = string | Uint8Array;

/** The bytes of the keys. @throws `INVALID_OPTION`, without anything of the secret */
export function signingKeys(given: unknown): readonly Uint8Array[] {
  if (given === undefined) return [];
  const secrets: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (secrets.length === 0) throw invalidOption('secret', 'must name at least one secret', 'got an empty array');
  return secrets.map(keyOf);
}

function keyOf(secret: unknown): Uint8Array {
  if (secret instanceof Uint8Array && secret.length > 0) return Uint8Array.from(secret);
  const base64 =
    typeof secret === 'string' ? /^whsec_((?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,4}={0,2})$/.exec(secret) : null;
  if (base64?.[1] !== undefined) return Buffer.from(base64[1], 'base64');
  throw invalidOption(
    'secret',
    'must be "whsec_" and the base64 of a key, or the bytes of a key',
    `got ${typeof secret === 'string' ? 'another text' : 'something else'}`,
  );
}

/** What Standard Webhooks adds to a request. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function signatureHeaders(
  id: string,
  body: string,
  keys: readonly Uint8Array[],
  nowMs: number,
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signed = `${id}.${timestamp}.${body}`;
  const signatures = keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

/**
 * The `webhook-id` of a message, the same each time it is sent. A header takes printable ASCII only, and a dot would
 * make what is signed ambiguous: both are percent-encoded.
 */
export function webhookId(messageId: string): string {
  return percentEncode(messageId).replaceAll('.', '%2E');
}

/** The `webhook-id` of a request with these messages: the same each time the same ones are sent together. */
export function batchId(messageIds: readonly string[]): string {
  return `batch_${createHash('sha256').update(JSON.stringify(messageIds)).digest('hex').slice(0, 32)}`;
}
