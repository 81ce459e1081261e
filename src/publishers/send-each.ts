/**
 * Runs `send` for each item, at most `most` at once, and starts no more once one has thrown.
 * @returns those that were sent; and the error, if there was one, with those that were not, or not known to be
 */
export async function sendEach<T, R>(
  items: readonly T[],
  most: number,
  send: (item: T) => Promise<R>,
): Promise<{ sent: Map<T, R>; stopped?: { error: unknown; items: readonly T[] } }> {
  const sent = new Map<T, R>();
  let failure: { error: unknown } | undefined;
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      try {
        sent.set(item, await send(item));
      } catch (error) {
        failure ??= { error };
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failure === undefined) return { sent };
  return { sent, stopped: { error: failure.error, items: items.filter((item) => !sent.has(item)) } };
}
