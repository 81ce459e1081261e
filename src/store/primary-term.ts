import type mongoose from 'mongoose';
import type { Store } from './store.js';

/** The time in which one process of one primary answers. */
export interface PrimaryTerm {
  /** Aborts when another process answers from now on, or none does for a while. */
  readonly over: AbortSignal;
  /** Takes the listener off again. */
  close(): void;
}

/**
 * Begins a term. What a server process has counted says nothing of the next one: after a crash its count of a capped
 * collection is another. The driver tells of no such change where it sends a read a second time by itself, so the
 * description that it keeps of the primary is watched: who it is, by which election, and which process
 * (`topologyVersion.processId`). A command that is given `over` is not sent to another process later on.
 */
export function primaryTerm(store: Store): PrimaryTerm {
  const { client } = store;
  const controller = new AbortController();
  const close = (): void => void client.off('topologyDescriptionChanged', listener);
  const listener = (event: mongoose.mongo.TopologyDescriptionChangedEvent): void => {
    if (processOf(event.previousDescription) === processOf(event.newDescription)) return;
    close();
    controller.abort(new Error('the primary, or its process, is another one than when the size of the log was read'));
  };
  client.on('topologyDescriptionChanged', listener);
  return { over: controller.signal, close };
}

function processOf(topology: mongoose.mongo.TopologyDescription): string | undefined {
  for (const { type, address, electionId, topologyVersion } of topology.servers.values()) {
    if (type === 'RSPrimary') return [address, electionId, topologyVersion?.processId].map(String).join(' ');
  }
  return undefined;
}
