/** An entry of the log. Entries stand in order of insertion. */
export interface Entry {
  position: number;
  token: string;
  created: number;
  size: number;
}

/** What the collections hold, and what they ever held: the guarantees speak of that. */
export interface Data {
  log: readonly Entry[];
  pending: readonly string[];
  /** Every message whose transaction was committed. */
  put: readonly string[];
  /** The message that was first appended at each position; `''` where there is a hole. */
  history: readonly string[];
  /** Whether `created` ever fell. */
  createdFell: boolean;
}

/** One entry of the oplog. */
export type Write =
  | { kind: 'put'; tokens: readonly string[] }
  | { kind: 'append'; entry: Entry }
  | { kind: 'delete'; tokens: readonly string[] }
  | { kind: 'drop strays'; positions: readonly number[] };

/**
 * A replica set as its clients see it: a primary with an oplog, a prefix of which is majority-committed. Places in the
 * oplog are counted from what is folded into `folded`, and are what an operation time is.
 */
export interface ReplicaSet {
  /** What everybody has and no read goes back behind. */
  folded: Data;
  writes: readonly Write[];
  /** How many of the writes are majority-committed. */
  committed: number;
  /** How many of them the primary knows to be: after an election it may know of fewer, and reads at majority see those. */
  stable: number;
}

export const empty: Data = { log: [], pending: [], put: [], history: [], createdFell: false };

const applied = new WeakMap<readonly Write[], Map<number, Data>>();

/** What a read sees that takes the first `length` writes. */
export function view(set: ReplicaSet, length: number, cap: number): Data {
  if (length === 0) return set.folded;
  let views = applied.get(set.writes);
  if (views === undefined) applied.set(set.writes, (views = new Map<number, Data>()));
  let data = views.get(length);
  if (data === undefined) {
    data = apply(view(set, length - 1, cap), set.writes[length - 1]!, cap);
    views.set(length, data);
  }
  return data;
}

function apply(data: Data, write: Write, cap: number): Data {
  switch (write.kind) {
    case 'put':
      return { ...data, pending: [...data.pending, ...write.tokens], put: [...data.put, ...write.tokens].sort() };
    case 'delete':
      return { ...data, pending: data.pending.filter((token) => !write.tokens.includes(token)) };
    case 'drop strays':
      return { ...data, log: data.log.filter(({ position }) => !write.positions.includes(position)) };
    case 'append':
      return append(data, write.entry, cap);
  }
}

/** The server inserts, and then evicts from the oldest on while it holds more than the cap. */
function append(data: Data, entry: Entry, cap: number): Data {
  let log = [...data.log, entry];
  while (log.reduce((sum, { size }) => sum + size, 0) > cap) log = log.slice(1);
  // A stray entry: its position has been written and overwritten before.
  if (entry.position <= data.history.length) return { ...data, log };
  const before = data.log.find(({ position }) => position === entry.position - 1);
  const holes = Array.from({ length: entry.position - 1 - data.history.length }, () => '');
  return {
    ...data,
    log,
    history: [...data.history, ...holes, entry.token],
    createdFell: data.createdFell || (before !== undefined && before.created > entry.created),
  };
}

/** One more write is majority-committed. What no read can go back behind is folded; `lag` writes stay. */
export function commit(set: ReplicaSet, lag: number, cap: number): { set: ReplicaSet; folded: number } {
  const committed = set.committed + 1;
  const folded = Math.max(0, committed - lag);
  return {
    set: {
      folded: view(set, folded, cap),
      writes: folded === 0 ? set.writes : set.writes.slice(folded),
      committed: committed - folded,
      stable: committed - folded,
    },
    folded,
  };
}

/** The first position whose run of successors, each inserted later, reaches the end of the log; what is below is stray. */
export function oldestOf(log: readonly Entry[]): number {
  let oldest = Math.max(...log.map(({ position }) => position));
  const place = new Map(log.map(({ position }, index) => [position, index]));
  while ((place.get(oldest - 1) ?? Infinity) < place.get(oldest)!) oldest -= 1;
  return oldest;
}
