import { largestAppend } from './limits.js';
import type { AppendLimits } from './limits.js';

/** What planning reads of a pending message: its encoded size and its fields. */
export interface Candidate {
  size: number;
  fields: { readonly [field: string]: unknown };
}

/** The end of the log that a batch is planned on. */
export interface Base {
  position: number;
  /** Milliseconds since 1970. */
  created: number;
  bytes: bigint;
}

export interface Plan<C extends Candidate> {
  /** Log entries, in order; the first has position base + 1. */
  entries: Record<string, unknown>[];
  /** Tokens of the entries. */
  tokens: unknown[];
  /** Messages that can never be appended, each with the reason. */
  refused: { candidate: C; reason: string }[];
  /** The end of the log once the entries are appended. */
  end: Base;
}

/** Sizes in bytes of the BSON elements by which an entry differs from its pending message. */
const tsElement = 12;
const idElement = { token: 17, smallPosition: 9, largePosition: 13 };
const addedElements = { token: 19, created: 17, epoch: 11, bytes: 15 };
const largestInt32 = 2 ** 31 - 1;

/**
 * Which of the pending messages, read in commit-safe order, go into one append, and with which numbers: a prefix that
 * keeps to the limits of count and bytes, less what can never be appended. `created` is the server's time, but never
 * less than what the log holds already: a primary whose clock ran ahead makes it stand still, not fall.
 */
export function planBatch<C extends Candidate>(
  candidates: readonly C[],
  base: Base,
  serverNow: number,
  epoch: number,
  limits: AppendLimits,
): Plan<C> {
  const plan: Plan<C> = {
    entries: [],
    tokens: [],
    refused: [],
    end: { ...base, created: Math.max(base.created, serverNow) },
  };
  let batchBytes = 0;
  for (const candidate of candidates) {
    const reason = whyNever(candidate, limits);
    if (reason !== undefined) {
      plan.refused.push({ candidate, reason });
      continue;
    }
    const position = plan.end.position + 1;
    const size = entrySize(candidate, position);
    if (plan.entries.length === limits.count || (plan.entries.length > 0 && batchBytes + size > limits.bytes)) break;
    const { _id: token, ts: _ts, ...message } = candidate.fields;
    const bytes = plan.end.bytes + BigInt(size);
    plan.entries.push({ ...message, _id: position, token, created: new Date(plan.end.created), epoch, bytes });
    plan.tokens.push(token);
    plan.end = { position, created: plan.end.created, bytes };
    batchBytes += size;
  }
  return plan;
}

/** Size in bytes of the log entry. A token of another type than ours counts as ours; such messages were put by other hands. */
export function entrySize(candidate: Candidate, position: number): number {
  const ts = 'ts' in candidate.fields ? tsElement : 0;
  const id = position > largestInt32 ? idElement.largePosition : idElement.smallPosition;
  return (
    candidate.size -
    idElement.token -
    ts +
    id +
    addedElements.token +
    addedElements.created +
    addedElements.epoch +
    addedElements.bytes
  );
}

function whyNever(candidate: Candidate, limits: AppendLimits): string | undefined {
  const { type, data, id, key, headers } = candidate.fields;
  if (typeof type !== 'string' || type === '') return 'its type is not a string';
  if (!isDocument(data)) return 'its data is not a document';
  if (id !== undefined && typeof id !== 'string') return 'its id is not a string';
  if (key !== undefined && typeof key !== 'string') return 'its key is not a string';
  if (
    headers !== undefined &&
    !(isDocument(headers) && Object.values(headers).every((value) => typeof value === 'string'))
  )
    return 'its headers are not a document of strings';
  const size = entrySize(candidate, largestInt32);
  const most = largestAppend(limits);
  if (size > most) return `it takes ${size} bytes in the log, and at most ${most} can be appended`;
  return undefined;
}

function isDocument(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !('_bsontype' in value) &&
    !(value instanceof Date) &&
    !(value instanceof RegExp)
  );
}
