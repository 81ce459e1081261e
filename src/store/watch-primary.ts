import type mongoose from 'mongoose';
import type { Store } from './store.js';

/** Calls back when another primary has been found. A tailable cursor survives a step-down and silently tails the old one. */
export function watchPrimary(store: Store, onChange: () => void): () => void {
  const { client } = store;
  let known: string | undefined;
  const listener = (event: mongoose.mongo.TopologyDescriptionChangedEvent) => {
    const primary = primaryOf(event.newDescription);
    // Before anything else: in an election there is no primary for a while.
    known ??= primaryOf(event.previousDescription);
    if (primary === undefined) return;
    known ??= primary;
    if (known === primary) return;
    known = primary;
    onChange();
  };
  client.on('topologyDescriptionChanged', listener);
  return () => void client.off('topologyDescriptionChanged', listener);
}

function primaryOf(topology: mongoose.mongo.TopologyDescription): string | undefined {
  for (const server of topology.servers.values()) {
    if (server.type === 'RSPrimary') return `${server.address} ${String(server.electionId ?? '')}`;
  }
  return undefined;
}
