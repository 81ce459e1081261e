import { OutboxError, shown } from '../errors.js';

/** Least and most value of options that are numbers. */
export type NumberLimits = Readonly<Record<string, readonly [least: number, most: number]>>;

export function invalidOption(option: string, rule: string, rest: string): OutboxError {
  return new OutboxError('INVALID_OPTION', `option ${option} ${rule}: ${rest}`);
}

/** Refuses what is no object, and options that are not known. @param within prefix of nested options, such as `retry.` */
export function checkKnown(given: unknown, known: readonly string[], within = ''): asserts given is object {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const what = within === '' ? 'the options' : `option ${within.slice(0, -1)}`;
    throw new OutboxError('INVALID_OPTION', `${what} must be an object: got ${shown(given)}`);
  }
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      throw invalidOption(`${within}${key}`, 'is unknown', `the options are ${[...known].sort().join(', ')}`);
  }
}

/** The options without those that are undefined. */
export function defined<O extends object>(given: O): O {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as O;
}

/** Refuses numbers that are not whole, or out of their limits. Options left out, or undefined, are passed over. */
export function checkWholeNumbers(given: object, limits: NumberLimits, within = ''): void {
  for (const [key, [least, most]] of Object.entries(limits)) {
    const value = (given as Record<string, unknown>)[key];
    if (
      value !== undefined &&
      !(Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    )
      throw invalidOption(`${within}${key}`, `must be a whole number from ${least} to ${most}`, `got ${shown(value)}`);
  }
}

/** Refuses numbers out of their limits. */
export function checkNumbers(given: object, limits: NumberLimits, within = ''): void {
  for (const [key, [least, most]] of Object.entries(limits)) {
    const value = (given as Record<string, unknown>)[key];
    if (value !== undefined && !(typeof value === 'number' && value >= least && value <= most))
      throw invalidOption(`${within}${key}`, `must be a number from ${least} to ${most}`, `got ${shown(value)}`);
  }
}

/** Refuses what is none of the words. */
export function checkWord(option: string, value: unknown, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value as string))
    throw invalidOption(option, `must be ${words.map((word) => `"${word}"`).join(' or ')}`, `got ${shown(value)}`);
}

export function checkBoolean(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw invalidOption(option, 'must be true or false', `got ${shown(value)}`);
}

export function checkSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw invalidOption('signal', 'must be an AbortSignal', `got ${shown(value)}`);
}

/**
 * Refuses types that the outbox does not declare.
 * @returns the types as a set; undefined where the option is left out
 */
export function checkTypes(types: unknown, known: readonly string[]): ReadonlySet<string> | undefined {
  if (types === undefined) return undefined;
  if (!Array.isArray(types) || types.length === 0)
    throw invalidOption(
      'types',
      'must be an array of at least one message type',
      `got ${Array.isArray(types) ? 'an empty array' : shown(types)}`,
    );
  for (const type of types as unknown[]) {
    if (typeof type !== 'string' || !known.includes(type))
      throw new OutboxError(
        'UNKNOWN_TYPE',
        `option types names ${shown(type)}, which this outbox does not declare: it declares ${known.map(shown).join(', ')}`,
      );
  }
  return new Set(types as string[]);
}
