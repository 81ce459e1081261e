/**
 * Groups what has arrived while the last batch was worked on, at most `most` elements: one publish carries many messages
 * under load, and a single message waits for no other. It reads no further ahead than one batch.
 */
export async function* gather<T>(source: AsyncIterable<T>, most: number): AsyncGenerator<T[], void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let batch: T[] = [];
  let wake = (): void => undefined;
  const changed = (): Promise<void> => new Promise((resolve) => (wake = resolve));

  let room = Promise.resolve();
  let makeRoom = (): void => undefined;
  const read = async (): Promise<void> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      batch.push(next.value);
      if (batch.length >= most) room = new Promise((resolve) => (makeRoom = resolve));
      wake();
      await room;
    }
  };
  let ended = false;
  let failure: { error: unknown } | undefined;
  void read()
    .catch((error: unknown) => (failure = { error }))
    .finally(() => {
      ended = true;
      wake();
    });

  try {
    for (;;) {
      if (batch.length === 0 && !ended) await changed();
      const ready = batch;
      batch = [];
      makeRoom();
      if (ready.length > 0) yield ready;
      else if (failure !== undefined) throw failure.error;
      else if (ended) return;
    }
  } finally {
    await iterator.return?.();
  }
}
