/** One way to get something: returns it, or throws and says why not. */
export interface Way<T> {
  readonly name: string;
  readonly get: () => Promise<T>;
  /** An explicit wish (an environment variable): when it fails, the next way would be a silent surprise. */
  readonly decisive?: boolean;
}

/** A way that does not apply here (nothing set, nothing cached), which is not the same as one that failed. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

/**
 * Tries the ways in their order and returns the first result, or throws one error that names each way tried and why
 * it failed, with `what` above and `advice` below.
 */
export async function tryInOrder<T>(ways: readonly Way<T>[], what: string, advice: string): Promise<T> {
  const failures: { readonly way: string; readonly error: unknown }[] = [];
  for (const way of ways) {
    try {
      return await way.get();
    } catch (error) {
      failures.push({ way: way.name, error });
      if (way.decisive && !(error instanceof NotApplicable)) break;
    }
  }
  const tried = failures.map(({ way, error }) => `  - ${way}: ${reason(error)}`);
  throw new AggregateError(
    failures.map(({ error }) => error),
    [`${what}. Tried:`, ...tried, advice].join('\n'),
  );
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replaceAll('\n', '\n      ');
}
