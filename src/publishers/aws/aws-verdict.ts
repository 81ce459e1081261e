/** Who is to blame for an error of AWS. */
export type Blame =
  /** One message, for good. */
  | 'message'
  /** The queue, topic or bus is not there. */
  | 'missing'
  /** The request is larger than the service takes; a smaller one may pass. */
  | 'size'
  /** The service, the network, credentials or permissions: the same request may pass later. */
  | 'destination'
  /** Not said. */
  | 'unknown';

/** An error of a request, or of one entry of it. `name` is the SDK's name of the exception or the entry's code. */
export interface AwsFailure {
  readonly name: string;
  /** Of entries: whether the service says that the sender is to blame. */
  readonly senderFault?: boolean;
  /** Of requests, where an answer came. */
  readonly status?: number;
}

const missing =
  /^(AWS\.SimpleQueueService\.)?(QueueDoesNotExist|NonExistentQueue|QueueDeletedRecently|NotFound|ResourceNotFound|InvalidAddress)(Exception)?$/;
const tooLarge = /(BatchRequestTooLong|RequestEntityTooLarge)(Exception)?$/;
const ofMessage =
  /^(InvalidMessageContents|InvalidParameterValue|InvalidParameter|InvalidAttributeValue|MissingParameter|MessageTooLong|ParameterValueInvalid|MalformedDetail|InvalidArgument)(Exception)?$/;
const ofDestination =
  /Throttl|RequestLimit|OverLimit|TooManyRequests|AccessDenied|NotAuthorized|Unauthorized|AuthorizationError|AuthFailure|Kms|KMS|Token|Credential|Signature|InvalidSecurity|OptInRequired|Internal|ServiceUnavailable|Timeout|RequestExpired|EndpointDisabled/;

/** Who is to blame for an error of a whole request. Without a status no answer came: the network, or the SDK itself. */
export function blameOfRequest({ name, status }: AwsFailure): Blame {
  if (missing.test(name)) return 'missing';
  if (tooLarge.test(name) || status === 413) return 'size';
  if (status === undefined || status >= 500 || status === 429 || status === 403 || status === 401) return 'destination';
  if (ofDestination.test(name)) return 'destination';
  // An invalid parameter of a whole request may as well be the queue's name: were it the message's, its entry would have failed.
  return name === 'InvalidMessageContents' ? 'message' : 'unknown';
}

/** Who is to blame for the failure of one entry, of services that say whether the sender is. */
export function blameOfEntry({ name, senderFault = true }: AwsFailure): Blame {
  if (missing.test(name)) return 'missing';
  if (ofDestination.test(name) || !senderFault) return 'destination';
  return ofMessage.test(name) || tooLarge.test(name) ? 'message' : 'unknown';
}

/** What to do about an error of the destination, for people. */
export function adviceFor(name: string, permission: string): string {
  if (/AccessDenied|NotAuthorized|Unauthorized|AuthorizationError|Kms|KMS/.test(name)) return `allow ${permission}`;
  if (/Token|Credential|Signature|InvalidSecurity|OptInRequired|AuthFailure|RequestExpired/.test(name))
    return 'look at the credentials and the clock of the client';
  return 'it is tried again';
}
