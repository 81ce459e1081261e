import { createHash } from 'node:crypto';

import { toJson } from '../to-json.js';

/** Characters of XML 1.0, which SQS and SNS take: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
export function isAwsText(text: string): boolean {
  return /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u.test(text);
}

/** JSON that SQS and SNS take: the two characters that they refuse and JSON does not escape by itself are escaped. */
export function awsJson(data: unknown): string {
  return toJson(data).replace(/[\ufffe\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}

/**
 * A text as message group id or deduplication id, which take up to 128 letters, digits and punctuation marks of ASCII.
 * Any other text becomes its hash: equal texts stay equal.
 */
export function fifoId(text: string): string {
  if (/^[!-~]{1,128}$/.test(text)) return text;
  return `sha256-${createHash('sha256').update(text).digest('hex')}`;
}

export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
