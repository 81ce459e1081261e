import type { Store } from './store.js';

const parked = new WeakMap<object, number>();
const defaultPoolSize = 100;

/**
 * A wake-up cursor holds a connection of the pool while it waits. At most half of a client's pool is given to such
 * cursors, so that the service's own queries never queue behind them.
 * @returns a function that gives the place back, or undefined when there is none: the caller then polls
 */
export function parkConnection(store: Store): (() => void) | undefined {
  const client = store.client;
  const poolSize = client.options.maxPoolSize ?? defaultPoolSize;
  const held = parked.get(client) ?? 0;
  if (poolSize !== 0 && held + 1 > poolSize / 2) return undefined;
  parked.set(client, held + 1);
  let released = false;
  return () => {
    if (released) return;
    released = true;
    parked.set(client, (parked.get(client) ?? 1) - 1);
  };
}
