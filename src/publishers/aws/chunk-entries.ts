/** What takes part in a request. */
export interface Sized {
  /** Where it goes: entries of one request go to the same. */
  readonly destination: string;
  readonly bytes: number;
}

/** Entries as requests, in their order: each to one destination, of at most so many entries and bytes. */
export function chunkEntries<T>(
  entries: readonly T[],
  sizeOf: (entry: T) => Sized,
  mostEntries: number,
  mostBytes: number,
): T[][] {
  const chunks: T[][] = [];
  const open = new Map<string, { chunk: T[]; bytes: number }>();
  for (const entry of entries) {
    const { destination, bytes } = sizeOf(entry);
    let last = open.get(destination);
    if (last === undefined || last.chunk.length >= mostEntries || last.bytes + bytes > mostBytes) {
      last = { chunk: [], bytes: 0 };
      open.set(destination, last);
      chunks.push(last.chunk);
    }
    last.chunk.push(entry);
    last.bytes += bytes;
  }
  return chunks;
}
