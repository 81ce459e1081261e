import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { HistoryRecord, ProcessHistory } from './records.js';

/** Reads all `*.jsonl` files of a folder; a process is named after its file. */
export async function readHistory(folder: string): Promise<ProcessHistory[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
  const processes: ProcessHistory[] = [];
  for (const file of files) {
    processes.push({ process: basename(file, '.jsonl'), records: await readRecords(join(folder, file)) });
  }
  return processes;
}

/** A last line without its end may be cut off: its process was killed while it wrote. Anything else must be whole. */
async function readRecords(path: string): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) records.push(parse(line, `${path}:${records.length + 1}`));
  }
  if (isWhole(rest)) records.push(parse(rest, path));
  return records;
}

/** No proper beginning of a JSON object is JSON itself. */
function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function parse(line: string, place: string): HistoryRecord {
  try {
    return JSON.parse(line) as HistoryRecord;
  } catch (cause) {
    throw new Error(`No JSON at ${place}: ${line.slice(0, 200)}`, { cause });
  }
}
