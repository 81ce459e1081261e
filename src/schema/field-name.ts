import { OutboxError, shown } from '../errors.js';

/** Names that mongoose (8 or 9) drops, or that break its own documents: with some, a put would never end. */
const unusable = new Set([
  '',
  '__proto__',
  'constructor',
  'prototype',
  '_doc',
  'markModified',
  'modifiedPaths',
  'toBSON',
  'toObject',
  'validate',
]);

/** Refuses names of fields that can't be stored; better at construction than at the first put. */
export function checkFieldName(name: string, at: string): void {
  if (!unusable.has(name) && !/^\$|[.\0]/.test(name)) return;
  throw new OutboxError(
    'INVALID_SCHEMA',
    `the schema at ${at} has a field named ${shown(name)}: a field must not begin with $, hold a dot or NUL, nor be named ${[...unusable].filter(Boolean).join(', ')}, which mongoose needs for itself; choose another name`,
  );
}
