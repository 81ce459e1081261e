import type { AwsFailure } from './aws-verdict.js';

/** Failures of entries whose ids are their places in the request, as SQS and SNS answer them. */
export function batchFailures(
  failed:
    | readonly {
        readonly Id?: string | undefined;
        readonly Code?: string | undefined;
        readonly SenderFault?: boolean | undefined;
      }[]
    | undefined,
): ReadonlyMap<number, AwsFailure> {
  return new Map(
    (failed ?? []).map(({ Id, Code, SenderFault }) => [
      Number(Id),
      { name: Code ?? 'no code', senderFault: SenderFault ?? false },
    ]),
  );
}
