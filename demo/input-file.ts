import { readFileSync } from 'node:fs';
import type { OutboxMessage, Put } from 'service-outbox';

/** A message of the file, with its line for error texts. */
export interface InputLine {
  readonly line: number;
  readonly message: Put<OutboxMessage>;
}

/** The file cannot be read or has wrong lines: the user has to mend it. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

const MOST_REPORTED = 20;
const MOST_TEXT_BYTES = 1_024;
const FIELDS = new Set(['type', 'data', 'id', 'key', 'headers']);

/** Reads all messages, or none: one wrong line refuses the file, and every wrong line is named. Empty lines are none. */
export function readInput(path: string): InputLine[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  const lines: InputLine[] = [];
  const wrong: string[] = [];
  for (const [index, content] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (content.trim() === '') continue;
    const parsed = parse(content);
    const problem = parsed === undefined ? 'is not valid JSON' : problemOf(parsed.value);
    if (problem === undefined) lines.push({ line: index + 1, message: parsed?.value as Put<OutboxMessage> });
    else wrong.push(`  line ${index + 1}: ${problem}`);
  }
  if (wrong.length > 0) {
    const more = wrong.length > MOST_REPORTED ? [`  and ${wrong.length - MOST_REPORTED} more`] : [];
    const title = `${path} has ${wrong.length} wrong ${wrong.length === 1 ? 'line' : 'lines'}; nothing was put:`;
    throw new InputError([title, ...wrong.slice(0, MOST_REPORTED), ...more].join('\n'));
  }
  if (lines.length === 0) throw new InputError(`${path} holds no message`);
  return lines;
}

function parse(content: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(content) as unknown };
  } catch {
    return undefined;
  }
}

/** What `put` or the database would refuse; found before anything is put. */
function problemOf(value: unknown): string | undefined {
  if (!isObject(value)) return 'must be an object { "type", "data" }';
  const { type, data, id, key, headers } = value;
  const extra = Object.keys(value).find((name) => !FIELDS.has(name));
  if (extra !== undefined) return `has the unknown field ${JSON.stringify(extra)}`;
  if (typeof type !== 'string' || !/^[^\0]{1,256}$/.test(type)) return '"type" must be a text of 1 to 256 characters';
  if (!isObject(data)) return '"data" must be an object';
  const badField = Object.keys(data).find((name) => !/^(?!__proto__$)[^$.\0][^.\0]*$/.test(name));
  if (badField !== undefined)
    return `"data" has a field with the name ${JSON.stringify(badField)}, which is not allowed`;
  return textProblem('id', id) ?? textProblem('key', key) ?? headersProblem(headers);
}

function textProblem(field: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const fits = typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MOST_TEXT_BYTES;
  return fits ? undefined : `"${field}" must be a text of 1 to ${MOST_TEXT_BYTES} bytes`;
}

function headersProblem(headers: unknown): string | undefined {
  if (headers === undefined) return undefined;
  const fits =
    isObject(headers) &&
    Object.entries(headers).every(([name, value]) => /^[^\0]+$/.test(name) && typeof value === 'string');
  return fits ? undefined : '"headers" must be an object of texts';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
