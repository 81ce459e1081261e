import type { Delivered, OutboxMessage } from '../../message.js';
import { PermanentError } from '../../verdict.js';
import { messageHeaders } from '../message-headers.js';
import { awsJson, isAwsText, utf8Bytes } from './aws-text.js';

/** An attribute of SQS and SNS. */
export interface AwsAttribute {
  readonly DataType: 'String';
  readonly StringValue: string;
}

/** SQS takes no more, and SNS drops a message with more where it hands it to a queue as it is. */
const mostAttributes = 10;
const own = ['id', 'type', 'position', 'created', 'key'] as const;
/** Holds the headers that can't be attributes. */
const rest = 'headers';

/**
 * The attributes of a message: `id`, `type`, `position`, `created`, `key` where it has one, and each header that can be one.
 * Headers that can't (an illegal name, an empty value, more than ten in all) are together in the attribute
 * `headers`, as JSON: none is lost.
 *
 * @throws PermanentError when id, type or key hold characters that AWS refuses
 */
export function messageAttributes(message: Delivered<OutboxMessage>): Record<string, AwsAttribute> {
  const all = messageHeaders(message, { key: message.key });
  const attributes: [string, string][] = own.flatMap((name): [string, string][] => {
    const value = all[name];
    if (value === undefined) return [];
    if (!isAwsText(value))
      throw new PermanentError(`the ${name} of the message holds characters that AWS does not take`);
    return [[name, value]];
  });
  const headers = Object.entries(all).filter(([name]) => !(own as readonly string[]).includes(name));
  const fit = headers.filter(([name, value]) => isAttribute(name, value));
  const room = mostAttributes - attributes.length;
  const single = fit.length === headers.length && fit.length <= room ? fit : fit.slice(0, room - 1);
  const others = headers.filter((header) => !single.some(([name]) => name === header[0]));
  if (others.length > 0) single.push([rest, awsJson(Object.fromEntries(others))]);
  return Object.fromEntries(
    [...attributes, ...single].map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  );
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html */
function isAttribute(name: string, value: string): boolean {
  const isName = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(name) && name.length <= 256;
  return isName && name !== rest && !/^(?:aws|amazon)\./i.test(name) && value !== '' && isAwsText(value);
}

/** What attributes add to the size of a message: names, types and values. */
export function bytesOfAttributes(attributes: Readonly<Record<string, AwsAttribute>>): number {
  return Object.entries(attributes).reduce(
    (sum, [name, { DataType, StringValue }]) => sum + utf8Bytes(name) + utf8Bytes(DataType) + utf8Bytes(StringValue),
    0,
  );
}
