/**
 * Whether the tests of a broker can run here, for `describe.skipIf`. Where its server can't be had they are skipped, and
 * the reason is shown; in CI (the variable `CI` is set) that is a failure, since a skipped test proves nothing.
 *
 * @returns why not; undefined where they can run
 */
export async function missingBroker(name: string, resolve: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await resolve();
    return undefined;
  } catch (error) {
    return skippedOrThrown(name, error, process.env);
  }
}

/** The decision of `missingBroker`. @throws the error itself in CI */
export function skippedOrThrown(name: string, error: unknown, { CI }: NodeJS.ProcessEnv): string {
  if (CI !== undefined && CI !== '' && CI !== 'false') throw error;
  const reason = `SKIPPED: the tests of ${name}. ${error instanceof Error ? error.message : String(error)}`;
  console.warn(reason);
  return reason;
}
