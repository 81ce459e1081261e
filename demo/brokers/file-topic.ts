import { mkdtempSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerRecord, Topic } from './broker.js';

/** A file in a folder of its own, which is kept when the run has ended: there is something to look at. */
export function fileTopic(): Topic {
  const folder = mkdtempSync(join(tmpdir(), 'service-outbox-demo-'));
  const path = join(folder, 'orders.ndjson');
  return {
    address: { kind: 'file', path },
    place: path,
    create: async () => writeFileSync(path, ''),
    read: () => readRecords(path),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A last line without its end was never acknowledged, and is no record. */
async function readRecords(path: string): Promise<BrokerRecord[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as BrokerRecord);
}
