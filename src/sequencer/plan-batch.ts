import { largestAppend } from './limits.js';
import type { AppendLimits } from './limits.js';

/** What planning reads of a pending message: its encoded size and its fields. */
export interface Candidate {
  size: number;
  /** Why it could be decoded only in part, if so. */
  malformed?: string;
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
/** `last: true`, which only the last entry of a batch has. */
const lastElement = 7;
const largestInt32 = 2 ** 31 - 1;

/** Fields of a pending message that its log entry does not carry over, or has of its own. */
const ownFields = new Set(['_id', 'ts', 'token', 'created', 'epoch', 'bytes', 'last']);

/**
 * Which of the pending messages, read in commit-safe order, go into one append, and with which numbers: a prefix that
 * keeps to the limits of count and bytes, less what can never be appended. `created` is the server's time, but never
 * less than what the log holds already: a primary whose clock ran ahead makes it stand still, not fall.
 *
 * The last entry is marked as such: readers are woken by it, once for the whole batch.
 */
export function planBatch<C extends Candidate>(
  candidates: readonly C[],
  base: Base,
  serverNow: number,
  epoch: number,
  limits: AppendLimits,
): Plan<C> {
  const created = Math.max(base.created, serverNow);
  const plan: Plan<C> = { entries: [], tokens: [], refused: [], end: { ...base, created } };
  let { position, bytes } = base;
  let batchBytes = 0;
  for (const candidate of candidates) {
    const reason = whyNever(candidate, limits);
    if (reason !== undefined) {
      plan.refused.push({ candidate, reason });
      continue;
    }
    const size = entrySize(candidate, position + 1);
    const full = plan.entries.length === limits.count;
    if (full || (plan.entries.length > 0 && batchBytes + size + lastElement > limits.bytes)) break;
    position += 1;
    batchBytes += size;
    bytes += BigInt(size);
    const token = candidate.fields['_id'];
    const entry: Record<string, unknown> = { _id: position, token, created: new Date(created), epoch, bytes };
    for (const field in candidate.fields) if (!ownFields.has(field)) entry[field] = candidate.fields[field];
    plan.entries.push(entry);
    plan.tokens.push(token);
  }
  const last = plan.entries.at(-1);
  if (last !== undefined) {
    bytes += BigInt(lastElement);
    Object.assign(last, { last: true, bytes });
  }
  plan.end = { position, created, bytes };
  return plan;
}

/** Size in bytes of the log entry. A token of another type than ours counts as ours; such messages were put by other hands. */
export function entrySize(candidate: Candidate, position: number): number {
  const ts = 'ts' in candidate.fields ? tsElement : 0;
  const id = position > largestInt32 ? idElement.largePosition : idElement.smallPosition;
  const { token, created, epoch, bytes } = addedElements;
  return candidate.size - idElement.token - ts + id + token + created + epoch + bytes;
}

function whyNever(candidate: Candidate, limits: AppendLimits): string | undefined {
  if (candidate.malformed !== undefined) return `it is not valid BSON: ${candidate.malformed}`;
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
