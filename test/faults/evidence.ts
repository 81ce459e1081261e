import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { slice } from './check/slice.js';
import type { RoundResult } from './run-round.js';

/** Keeps what is needed to understand a violation: what was violated, the records about it, and all histories and logs. */
export async function keepEvidence(to: string, folder: string, result: RoundResult, seed: number): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  cpSync(folder, join(to, 'processes'), { recursive: true });
  const { violations, history, injections } = result;
  writeFileSync(join(to, 'violations.json'), JSON.stringify({ seed, violations, injections }, undefined, 2));
  writeFileSync(join(to, 'final.json'), JSON.stringify(history.final));
  const lines = slice(history, violations).map((record) => JSON.stringify(record));
  writeFileSync(join(to, 'slice.jsonl'), `${lines.join('\n')}\n`);
  return Promise.resolve();
}
