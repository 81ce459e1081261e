import { closeSync, openSync, writeSync } from 'node:fs';

import type { HistoryRecord } from './records.js';

type Unstamped<R> = R extends unknown ? Omit<R, 'at'> : never;

/** Milliseconds, with a fraction, on the machine's monotonic clock: on Linux that is CLOCK_MONOTONIC, alike in all processes. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Writes a process's records into a file of its own, one JSON object per line. `write` returns when the kernel has the
 * line. There is no fsync: what the kernel has is in the page cache, which outlives a SIGKILL of the process. Only a
 * crash of the machine would lose it, and then the whole run is lost.
 */
export class HistoryWriter {
  readonly #file: number;

  /** `path` must end in `.jsonl` to be read, and must not exist: a process that is started again takes a new file. */
  constructor(path: string) {
    this.#file = openSync(path, 'ax');
  }

  /** Appends a record; `at` is now, unless the caller noted it before (of a rewind: when the call was made). */
  write(record: Unstamped<HistoryRecord>, at = now()): void {
    const line = Buffer.from(`${JSON.stringify({ at, ...record })}\n`);
    for (let written = 0; written < line.length;) written += writeSync(this.#file, line, written);
  }

  close(): void {
    closeSync(this.#file);
  }
}
