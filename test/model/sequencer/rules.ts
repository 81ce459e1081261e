/** How the sequencer works. Every other value is a mistake that was made once, or could be. */
export interface SequencerRules {
  /** `blind`: entries go to whatever place is free, instead of to the position they were planned for. */
  append: 'compare' | 'blind';
  /** Whether what the newest entries hold is deleted from pending before anything is appended. */
  resolve: boolean;
  baseRead: 'majority' | 'local';
  pendingRead: 'snapshot' | 'local';
  /** Whether the reads of a sequencer are in one causally consistent session. */
  causal: boolean;
  order: 'append first' | 'delete first';
  deletes: 'majority' | 'one';
  /** Whether it goes on behind the highest `ts` that it has moved. */
  resumesByTs: boolean;
  /** By what messages are taken for the same. */
  identity: 'token' | 'id';
  /** The most that one append may hold of the log. */
  batch: 'a quarter' | 'all';
  /** What a reader makes of entries that were inserted later than their successors. */
  strays: 'lost' | 'read';
  /** Whether `created` is at least that of the entry before. */
  created: 'highest' | 'clock';
  /** Which entries tell that a message need not be appended any more: those that belong to the log, or also stray ones. */
  trusts: 'every entry' | 'the log';
}

export const sequencerAsBuilt: SequencerRules = {
  append: 'compare',
  resolve: true,
  baseRead: 'majority',
  pendingRead: 'snapshot',
  causal: true,
  order: 'append first',
  deletes: 'majority',
  resumesByTs: false,
  identity: 'token',
  batch: 'a quarter',
  strays: 'lost',
  created: 'highest',
  trusts: 'the log',
};

export interface Transaction {
  /** Tokens, in order of put. */
  messages: readonly string[];
  /** Begins only when the one with this index has been committed. */
  after?: number;
}

/** What there is, and how much may go wrong. */
export interface SequencerBounds {
  transactions: readonly Transaction[];
  /** Ids of the service's own, by token; the others have one for themselves. */
  ids: Readonly<Record<string, string>>;
  /** Sizes of messages that are not of size 1. */
  sizes: Readonly<Record<string, number>>;
  /** Size of the log. */
  cap: number;
  /** Messages of one append. */
  batch: number;
  /** How many of the newest entries are looked up in pending before anything is appended. */
  resolveWindow: number;
  /** Messages of one read of pending. */
  atOnce: number;
  /** Server time as each sequencer knows it. */
  clocks: readonly [number, number];
  /** Requests that their sender gave up on, and that may still arrive. */
  flights: number;
  /** Elections, each with the loss of everything that is not majority-committed. */
  elections: number;
  /** By how many writes a new primary may be behind in what it knows to be majority-committed. */
  lag: number;
  /** `instant`: every write is majority-committed at once. */
  replication: 'write by write' | 'instant';
  reader: boolean;
}

export const sequencerBounds: SequencerBounds = {
  transactions: [],
  ids: {},
  sizes: {},
  cap: 4,
  batch: 1,
  resolveWindow: 2,
  atOnce: 2,
  clocks: [0, 0],
  flights: 1,
  elections: 1,
  lag: 1,
  replication: 'write by write',
  reader: false,
};
