import type mongoose from 'mongoose';
import { OutboxError, shown } from '../errors.js';

/** The parts of mongoose's ValidatorError, CastError and ValidationError that hold or quote values. */
interface Violation extends Error {
  kind?: string;
  path?: string;
  value?: unknown;
  stringValue?: unknown;
  reason?: unknown;
  properties?: Record<string, unknown>;
  errors?: Record<string, Violation>;
}

/** Limits that a violation's text may quote: they come from the schema, not from the message. */
const limits = ['min', 'max', 'minlength', 'maxlength', 'enumValues', 'regexp'];

/**
 * What mongoose threw, without a value of the message in any text: mongoose's own texts quote the payload, which then
 * ends up in logs. A ValidationError stays one, with its `errors` by path; anything else becomes `INVALID_MESSAGE`.
 */
export function redact(
  base: typeof mongoose,
  error: unknown,
  type: string,
  findField: () => string | undefined,
): unknown {
  const lastSteps = unknownFieldOf(error as Violation, '');
  if (lastSteps !== undefined) {
    const unknownField = findField() ?? lastSteps;
    return new OutboxError(
      'INVALID_MESSAGE',
      `the data of message type ${shown(type)} has the field ${shown(unknownField)} which its schema does not know: add it to the schema, or leave it out`,
    );
  }
  if (error instanceof base.Error.ValidationError) {
    const violation = error as unknown as Violation & { _message?: string };
    const found = Object.entries(violation.errors ?? {}).filter(([, inner]) => inner.errors === undefined);
    for (const inner of Object.values(violation.errors ?? {})) clean(inner);
    const text = found.map(([path, inner]) => `${path}: ${inner.message}`).join('; ');
    violation._message = `the data of message type ${shown(type)} is not valid`;
    retext(violation, `${violation._message}: ${text}`);
    return error;
  }
  const name = error instanceof Error ? error.name : 'an error';
  return new OutboxError(
    'INVALID_MESSAGE',
    `the data of message type ${shown(type)} was refused by mongoose (${name})`,
  );
}

/** mongoose reports an unknown field of a subdocument as the reason, or the reason's reason, of a failed cast. */
function unknownFieldOf(error: Violation | undefined, within: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const path = [within, error.path].filter(Boolean).join('.');
  if (error.name === 'StrictModeError') return path;
  for (const inner of Object.values(error.errors ?? {})) {
    const found = unknownFieldOf(inner, within);
    if (found !== undefined) return found;
  }
  return unknownFieldOf(error.reason as Violation | undefined, path);
}

function clean(violation: Violation): void {
  const properties = violation.properties ?? {};
  const limit = limits.flatMap((name) =>
    properties[name] === undefined ? [] : [`${name} ${limitText(properties[name])}`],
  )[0];
  const text =
    violation.name === 'CastError'
      ? `cannot be cast to ${violation.kind ?? 'its type'}`
      : `fails ${violation.kind ?? 'its validator'}${limit === undefined ? '' : ` (${limit})`}`;
  for (const key of ['value', 'stringValue', 'reason'] as const) if (key in violation) violation[key] = undefined;
  if (violation.properties !== undefined)
    Object.assign(violation.properties, { value: undefined, message: text, reason: undefined });
  for (const inner of Object.values(violation.errors ?? {})) clean(inner);
  retext(violation, text);
}

function limitText(limit: unknown): string {
  if (Array.isArray(limit)) return limit.map(shown).join(', ');
  if (limit instanceof Date) return limit.toISOString();
  return limit instanceof RegExp ? String(limit) : shown(limit);
}

/** The stack begins with the text that the error was made with. */
function retext(error: Error, text: string): void {
  error.message = text;
  error.stack = `${error.name}: ${text}`;
}
