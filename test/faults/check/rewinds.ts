import type { ProcessHistory } from '../history/records.js';

/** A rewind, accepted at some moment between two. */
export interface Rewind {
  /** Everything above is delivered again. */
  readonly position: number;
  /** When it was called for. */
  readonly called: number;
  /** When it had been accepted for certain; infinite where nobody knows whether it ever was. */
  accepted: number;
}

/** The rewinds of each consumer, in the order in which they were called for. */
export function rewindsOf(processes: readonly ProcessHistory[]): Map<string, Rewind[]> {
  const all = new Map<string, Rewind[]>();
  for (const { records } of processes) {
    /** Called for by this process, and not known to be accepted. */
    const open = new Map<string, Rewind>();
    for (const record of records) {
      if (record.kind !== 'rewinding' && record.kind !== 'rewound') continue;
      const { kind, at, consumer, position } = record;
      const which = JSON.stringify([consumer, position]);
      if (kind === 'rewound') {
        const rewind = open.get(which);
        if (rewind !== undefined) rewind.accepted = at;
        continue;
      }
      const rewind = { position, called: at, accepted: Infinity };
      open.set(which, rewind);
      all.set(consumer, [...(all.get(consumer) ?? []), rewind]);
    }
  }
  for (const rewinds of all.values()) rewinds.sort((a, b) => a.called - b.called);
  return all;
}
