import { now } from '../history/history-writer.js';
import type { Weather } from '../network.js';
import { hold, pick, type Nemesis } from './field.js';

/** Of one node, what a single process sees; of three, what everybody sees of a node, the other nodes included. */
function weather(weather: Weather): Nemesis {
  return async (field) => {
    const chosen = pick([...field.site.proxies], field.random);
    if (chosen === undefined) return undefined;
    const [target, proxy] = chosen;
    const from = now();
    proxy.become(weather);
    await hold(field);
    proxy.become('clear');
    await field.site.set.primary();
    return { target, from, until: now() };
  };
}

export const connectionNemeses = {
  'network cut': weather('cut'),
  'network held': weather('held'),
  'network half-open': weather('half-open'),
  'replies lost': weather('no replies'),
  'network slow': weather('slow'),
} satisfies Record<string, Nemesis>;
