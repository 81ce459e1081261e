import type { Delivered, OutboxMessage } from '../../message.js';
import type { PublishContext, PublishResult } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { asUnavailable } from '../as-unavailable.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { sendEach } from '../send-each.js';
import { requestWithin } from '../request-within.js';
import { entryError, errorFor, failureOf, type AwsServiceName } from './aws-error.js';
import { blameOfRequest, type AwsFailure } from './aws-verdict.js';
import { chunkEntries, type Sized } from './chunk-entries.js';

/** What is sent for a message. */
export interface Entry<E> extends Sized {
  readonly entry: E;
}

/** One of the services that take batches of ten. */
export interface BatchService<M extends OutboxMessage, E> extends AwsServiceName {
  readonly mostBytes: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly prepare: (message: Delivered<M>) => Entry<E>;
  /** Sends one request. @returns what was refused, by its place among the entries; rejects with an error of the SDK */
  readonly send: (
    destination: string,
    entries: readonly E[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<number, AwsFailure>>;
}

/** Most entries of a request of SQS, SNS and EventBridge. */
const mostEntries = 10;

type Request<M extends OutboxMessage, E> = readonly Prepared<M, Entry<E>>[];

/** Publishes a batch, of each key at most one message at a time, in requests of up to ten entries. */
export async function publishEntries<M extends OutboxMessage, E>(
  messages: readonly Delivered<M>[],
  context: PublishContext,
  service: BatchService<M, E>,
): Promise<PublishResult> {
  return publishInWaves(messages, context, {
    prepare: (message) => sizeChecked(service.prepare(message), service),
    send: (wave) => {
      const requests = chunkEntries(wave, ({ record }) => record, mostEntries, service.mostBytes);
      return sendRequests(requests, service, context.signal, service.concurrency);
    },
  });
}

function sizeChecked<M extends OutboxMessage, E>(entry: Entry<E>, { name, mostBytes }: BatchService<M, E>): Entry<E> {
  if (entry.bytes <= mostBytes) return entry;
  throw new PermanentError(`the message is too large for ${name}: ${entry.bytes} bytes, and at most ${mostBytes}`);
}

/** What was acknowledged is known beside what was not; rejects when nothing is known. */
async function sendRequests<M extends OutboxMessage, E>(
  requests: readonly Request<M, E>[],
  service: BatchService<M, E>,
  signal: AbortSignal,
  concurrency: number,
): Promise<Refused<M>> {
  const { sent, stopped } = await sendEach(requests, concurrency, (request) => sendRequest(request, service, signal));
  const refused = [...sent.values()].flatMap((each) => [...each]);
  if (stopped === undefined) return new Map(refused);
  if (sent.size === 0) throw stopped.error;
  const unsent = stopped.items.flat().map(({ message }) => [message, asUnavailable(stopped.error)] as const);
  return new Map([...refused, ...unsent]);
}

async function sendRequest<M extends OutboxMessage, E>(
  request: Request<M, E>,
  service: BatchService<M, E>,
  signal: AbortSignal,
): Promise<Refused<M>> {
  const destination = request[0]!.record.destination;
  const entries = request.map(({ record }) => record.entry);
  let failures: ReadonlyMap<number, AwsFailure>;
  try {
    failures = await requestWithin(service.timeoutMs, signal, service.name, (end) =>
      service.send(destination, entries, end),
    );
  } catch (error) {
    return requestFailed(error, request, service, signal);
  }
  const refused = [...failures].map(
    ([index, failure]) => [request[index]!.message, entryError(failure, service)] as const,
  );
  // Nothing was taken: that is the destination's answer to the whole request, and no further one is sent.
  const isDown = refused.length === request.length && refused.every(([, error]) => error instanceof Unavailable);
  if (isDown) throw refused[0]![1];
  return new Map(refused);
}

async function requestFailed<M extends OutboxMessage, E>(
  error: unknown,
  request: Request<M, E>,
  service: BatchService<M, E>,
  signal: AbortSignal,
): Promise<Refused<M>> {
  if (error instanceof Unavailable || signal.aborted) throw error;
  const failure = failureOf(error);
  const blame = blameOfRequest(failure);
  if ((blame === 'message' || blame === 'size') && request.length > 1) {
    const middle = Math.ceil(request.length / 2);
    return sendRequests([request.slice(0, middle), request.slice(middle)], service, signal, 1);
  }
  const verdict = errorFor(blame, failure, service, error);
  if (verdict instanceof PermanentError) return new Map(request.map(({ message }) => [message, verdict]));
  throw verdict;
}
