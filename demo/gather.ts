import { setImmediate } from 'node:timers/promises';

/**
 * Groups what is there already: a batch ends where the next element would have to be waited for, or at `most`
 * elements. So one publish carries many messages under load, and a single message waits for no other.
 */
export async function* gather<T>(source: AsyncIterable<T>, most: number): AsyncGenerator<T[], void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const take = (): Promise<IteratorResult<T>> => {
    const next = iterator.next();
    // It may fail while a batch is being published; whoever awaits it next is told.
    next.catch(() => undefined);
    return next;
  };
  try {
    for (let next = take(), first = await next; first.done !== true; first = await next) {
      const batch = [first.value];
      next = take();
      while (batch.length < most) {
        const ready = await Promise.race([next, setImmediate(undefined)]);
        if (ready === undefined || ready.done === true) break;
        batch.push(ready.value);
        next = take();
      }
      yield batch;
    }
  } finally {
    await iterator.return?.();
  }
}
