import { PermanentError, Unavailable } from '../../verdict.js';
import { adviceFor, blameOfEntry, type AwsFailure, type Blame } from './aws-verdict.js';

/** What an error's text says of the service. */
export interface AwsServiceName {
  /** For people: "SQS". */
  readonly name: string;
  /** For people: "sqs:SendMessage". */
  readonly permission: string;
  /** Whether the destination is chosen for each message: then a missing one is a failure of its messages. */
  readonly isPerMessage: boolean;
}

/** What the SDK's error of a request says. Without an answer the code is Node's own, such as ECONNREFUSED. */
export function failureOf(error: unknown): AwsFailure {
  const { name, code, $metadata } = (error ?? {}) as {
    name?: string;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) return { name: name ?? 'no name', status };
  return { name: typeof code === 'string' ? code : (name ?? 'no name') };
}

export function entryError(failure: AwsFailure, service: AwsServiceName): Error {
  return errorFor(blameOfEntry(failure), failure, service);
}

/** The texts name the service and the error, never an address or anything of a message. */
export function errorFor(blame: Blame, { name }: AwsFailure, service: AwsServiceName, cause?: unknown): Error {
  const options = cause === undefined ? {} : { cause: withoutRequest(cause) };
  switch (blame) {
    case 'message':
    case 'size':
      return new PermanentError(`${service.name} refused the message: ${name}`, options);
    case 'missing':
      return service.isPerMessage
        ? new PermanentError(`${service.name} does not have what the message is sent to: ${name}`, options)
        : new Unavailable(
            `${service.name} does not have what messages are sent to: ${name}; create it, or mend the option`,
            options,
          );
    case 'destination':
      return new Unavailable(
        `${service.name} can not take messages: ${name}; ${adviceFor(name, service.permission)}`,
        options,
      );
    case 'unknown':
      return new Error(`${service.name} failed: ${name}`, options);
  }
}

/** The SDK's errors hold the whole request: its signature, a session token, the messages. */
function withoutRequest(error: unknown): Error {
  const { name, message, $metadata } = error as Error & { $metadata?: { requestId?: string } };
  return Object.assign(new Error(message), { name, requestId: $metadata?.requestId });
}
