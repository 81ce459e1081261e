/** How consumers work. Every other value is a mistake. */
export interface ConsumerRules {
  /** `always`: a checkpoint is set whoever writes it and whatever it was. */
  checkpoint: 'fenced, never back' | 'always';
  /** Whether a message is passed when it has been handled, or when it is begun. */
  passes: 'handled' | 'begun';
  /** `beside`: failures are written before the fenced update, not in one transaction with it. */
  failures: 'fenced' | 'beside';
  /** `changes nothing`: the fenced update of a transaction leaves the document as it is, and conflicts with nothing. */
  fence: 'counts up' | 'changes nothing';
  /** What a takeover does first. */
  takeover: 'writes its epoch' | 'reads the position';
  /** What a message with a failure of its own is, when it is read from the log again. */
  failed: 'passed over' | 'run';
  /** Whether messages wait for failures of their key. */
  queues: boolean;
  /** Whether no more than the window is begun above the checkpoint. */
  window: boolean;
  /** By what failures are told apart. */
  record: 'position' | 'id';
  /** `forgets`: removing a consumer deletes its lease as well. */
  remove: 'keeps the lease' | 'forgets';
  /** Which of the writes of an owner counts, where one that it gave up on arrives after a later one. */
  writes: 'the later one' | 'what arrives last';
}

export const consumerAsBuilt: ConsumerRules = {
  checkpoint: 'fenced, never back',
  passes: 'handled',
  failures: 'fenced',
  fence: 'counts up',
  takeover: 'writes its epoch',
  failed: 'passed over',
  queues: true,
  window: true,
  record: 'position',
  remove: 'keeps the lease',
  writes: 'the later one',
};

export interface ConsumerBounds {
  /** The key of each message; the log is there from the start. */
  keys: string;
  /** Ids of the service's own, one for each message; two may be the same. */
  ids: string;
  /** At most so many messages are begun above the checkpoint. */
  window: number;
  owners: number;
  /** How often the lease can change hands. */
  epochs: number;
  /** How many attempts fail; a message is given up after the second. */
  faults: number;
  /** Writes whose sender gave up on them, and that may still arrive. */
  flights: number;
  /** How often an owner ends in peace, somebody rewinds to the beginning, or removes the consumer and registers it anew. */
  closes: number;
  rewinds: number;
  removals: number;
}
