import { expect, it } from 'vitest';

import {
  adviceFor,
  blameOfEntry,
  blameOfRequest,
  type AwsFailure,
  type Blame,
} from '../../../../src/publishers/aws/aws-verdict.js';

it.each<[Blame, AwsFailure]>([
  ['missing', { name: 'QueueDoesNotExist', status: 400 }],
  ['missing', { name: 'AWS.SimpleQueueService.NonExistentQueue', status: 400 }],
  ['missing', { name: 'NotFoundException', status: 404 }],
  ['missing', { name: 'ResourceNotFoundException', status: 400 }],
  ['size', { name: 'BatchRequestTooLong', status: 400 }],
  ['size', { name: 'BatchRequestTooLongException', status: 400 }],
  ['size', { name: 'SomeError', status: 413 }],
  ['destination', { name: 'ECONNREFUSED' }],
  ['destination', { name: 'TimeoutError' }],
  ['destination', { name: 'CredentialsProviderError' }],
  ['destination', { name: 'AccessDenied', status: 403 }],
  ['destination', { name: 'AccessDeniedException', status: 400 }],
  ['destination', { name: 'AuthorizationErrorException', status: 403 }],
  ['destination', { name: 'KmsAccessDenied', status: 400 }],
  ['destination', { name: 'KMSDisabledException', status: 400 }],
  ['destination', { name: 'RequestThrottled', status: 400 }],
  ['destination', { name: 'ThrottlingException', status: 400 }],
  ['destination', { name: 'ThrottledException', status: 429 }],
  ['destination', { name: 'UnrecognizedClientException', status: 401 }],
  ['destination', { name: 'ExpiredTokenException', status: 400 }],
  ['destination', { name: 'Whatever', status: 500 }],
  ['destination', { name: 'Whatever', status: 503 }],
  ['message', { name: 'InvalidMessageContents', status: 400 }],
  ['unknown', { name: 'InvalidParameterValue', status: 400 }],
  ['unknown', { name: 'InvalidParameterException', status: 400 }],
  ['unknown', { name: 'ValidationException', status: 400 }],
  ['unknown', { name: 'UnsupportedOperation', status: 400 }],
  ['unknown', { name: 'Whatever', status: 400 }],
])('a request: %s is to blame for %j', (blame, failure) => {
  expect(blameOfRequest(failure)).toBe(blame);
});

it.each<[Blame, AwsFailure]>([
  ['message', { name: 'InvalidMessageContents', senderFault: true }],
  ['message', { name: 'InvalidParameterValue', senderFault: true }],
  ['message', { name: 'InvalidParameter', senderFault: true }],
  ['message', { name: 'MissingParameter', senderFault: true }],
  ['message', { name: 'BatchRequestTooLong', senderFault: true }],
  ['message', { name: 'MalformedDetail' }],
  ['message', { name: 'InvalidArgument' }],
  ['destination', { name: 'InternalError', senderFault: false }],
  ['destination', { name: 'InvalidParameterValue', senderFault: false }],
  ['destination', { name: 'InternalFailure' }],
  ['destination', { name: 'ThrottlingException' }],
  ['destination', { name: 'AccessDenied', senderFault: true }],
  ['destination', { name: 'KMSAccessDenied', senderFault: true }],
  ['destination', { name: 'NotAuthorizedForSourceException' }],
  ['missing', { name: 'ResourceNotFoundException' }],
  ['unknown', { name: 'SomethingNew', senderFault: true }],
])('an entry: %s is to blame for %j', (blame, failure) => {
  expect(blameOfEntry(failure)).toBe(blame);
});

it.each([
  ['AccessDenied', 'allow sqs:SendMessage'],
  ['KMSAccessDenied', 'allow sqs:SendMessage'],
  ['ExpiredTokenException', 'look at the credentials and the clock of the client'],
  ['ECONNREFUSED', 'it is tried again'],
])('advice for %s: %s', (name, advice) => {
  expect(adviceFor(name, 'sqs:SendMessage')).toBe(advice);
});
