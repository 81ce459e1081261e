import type { Delivered, OutboxMessage } from '../../message.js';
import type { PublishContext, PublishResult } from '../../publisher.js';
import { PermanentError, Unavailable } from '../../verdict.js';
import { publishInWaves, type Prepared, type Refused } from '../publish-in-waves.js';
import { sendEach } from '../send-each.js';
import { within } from '../within.js';
import { adviceFor, blameOfEntry, blameOfRequest, type AwsFailure, type Blame } from './aws-verdict.js';
import { chunkEntries, type Sized } from './chunk-entries.js';

/** What is sent for a message. */
export interface Entry<E> extends Sized {
  readonly entry: E;
}

/** One of the services that take batches of ten. */
export interface BatchService<M extends OutboxMessage, E> {
  /** For people: "SQS". */
  readonly name: string;
  /** For people: "sqs:SendMessage". */
  readonly permission: string;
  /** Whether the destination is chosen for each message: then a missing one is a failure of its messages. */
  readonly isPerMessage: boolean;
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

type Wave<M extends OutboxMessage, E> = readonly Prepared<M, Entry<E>>[];

/** Publishes a batch, of each key at most one message at a time, in requests of up to ten entries. */
export async function publishEntries<M extends OutboxMessage, E>(
  messages: readonly Delivered<M>[],
  context: PublishContext,
  service: BatchService<M, E>,
): Promise<PublishResult> {
  let down: { error: unknown } | undefined;
  return publishInWaves(messages, context, {
    prepare: (message) => sizeChecked(service.prepare(message), service),
    send: async (wave) => {
      if (down !== undefined) throw down.error;
      const requests = chunkEntries(wave, ({ record }) => record, mostEntries, service.mostBytes);
      const { sent, stopped } = await sendEach(requests, service.concurrency, (request) =>
        sendRequest(request, service, context.signal),
      );
      if (stopped !== undefined && sent.size === 0) throw stopped.error;
      // What was acknowledged is known beside what was not, and no further wave is sent.
      down = stopped;
      const unsent = (stopped?.items.flat() ?? []).map(({ message }) => [message, stopped?.error] as const);
      return new Map([...[...sent.values()].flatMap((refused) => [...refused]), ...unsent]);
    },
  });
}

function sizeChecked<M extends OutboxMessage, E>(entry: Entry<E>, { name, mostBytes }: BatchService<M, E>): Entry<E> {
  if (entry.bytes <= mostBytes) return entry;
  throw new PermanentError(`the message is too large for ${name}: ${entry.bytes} bytes, and at most ${mostBytes}`);
}

async function sendRequest<M extends OutboxMessage, E>(
  request: Wave<M, E>,
  service: BatchService<M, E>,
  signal: AbortSignal,
): Promise<Refused<M>> {
  const destination = request[0]!.record.destination;
  const entries = request.map(({ record }) => record.entry);
  let failures: ReadonlyMap<number, AwsFailure>;
  try {
    failures = await within(service.timeoutMs, signal, service.name, (end) => service.send(destination, entries, end));
  } catch (error) {
    return requestFailed(error, request, service, signal);
  }
  const refused = [...failures].map(
    ([index, failure]) => [request[index]!.message, entryError(failure, service)] as const,
  );
  const outage = refused.find(([, error]) => error instanceof Unavailable);
  // Nothing was taken: that is the destination's answer to the request.
  if (outage !== undefined && refused.length === request.length) throw outage[1];
  return new Map(refused);
}

async function requestFailed<M extends OutboxMessage, E>(
  error: unknown,
  request: Wave<M, E>,
  service: BatchService<M, E>,
  signal: AbortSignal,
): Promise<Refused<M>> {
  if (error instanceof Unavailable || signal.aborted) throw error;
  const failure = failureOf(error);
  const blame = blameOfRequest(failure);
  if (blame === 'message' || blame === 'size') {
    if (request.length > 1) return sendHalves(request, service, signal);
    return new Map([[request[0]!.message, errorFor('message', failure, service, error)]]);
  }
  const verdict = errorFor(blame, failure, service, error);
  if (verdict instanceof PermanentError) return new Map(request.map(({ message }) => [message, verdict]));
  throw verdict;
}

async function sendHalves<M extends OutboxMessage, E>(
  request: Wave<M, E>,
  service: BatchService<M, E>,
  signal: AbortSignal,
): Promise<Refused<M>> {
  const middle = Math.ceil(request.length / 2);
  const halves = [request.slice(0, middle), request.slice(middle)];
  const { sent, stopped } = await sendEach(halves, 1, (half) => sendRequest(half, service, signal));
  if (stopped !== undefined && sent.size === 0) throw stopped.error;
  const unsent = (stopped?.items.flat() ?? []).map(({ message }) => [message, stopped?.error] as const);
  return new Map([...[...sent.values()].flatMap((refused) => [...refused]), ...unsent]);
}

function failureOf(error: unknown): AwsFailure {
  const { name, code, $metadata } = (error ?? {}) as {
    name?: string;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const shownAs = typeof code === 'string' && status === undefined ? code : (name ?? 'no name');
  return status === undefined ? { name: shownAs } : { name: shownAs, status };
}

function entryError<M extends OutboxMessage, E>(failure: AwsFailure, service: BatchService<M, E>): Error {
  return errorFor(blameOfEntry(failure), failure, service);
}

/** The texts name the service and the error, never the destination's address or anything of a message. */
function errorFor<M extends OutboxMessage, E>(
  blame: Blame,
  { name }: AwsFailure,
  service: BatchService<M, E>,
  cause?: unknown,
): Error {
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
