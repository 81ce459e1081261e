/** `npm run test:faults`: the library as real processes, on real servers, under faults; see docs/failure-modes.md. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { resolveMongod } from '../../dev/mongod.js';
import { stopOnSignal } from '../../dev/stop-on-signal.js';
import { missingBroker } from '../support/brokers.js';
import { BROKERS } from './brokers/brokers.js';
import { keepEvidence } from './evidence.js';
import { parseOptions, type FaultOptions } from './options.js';
import { Report } from './report.js';
import { MIXED, ROUNDS, SOAK, type Round } from './rounds.js';
import { runRound } from './run-round.js';

/** A soak is cut into rounds of so many seconds, so that each one's history fits into memory. */
const SOAK_SECONDS = 240;

/** Which rounds, with the seed of each. */
function* rounds({ minutes, seed, only }: FaultOptions): Generator<{ round: Round; seed: number }> {
  if (minutes === undefined) {
    for (const [index, round] of [...ROUNDS, MIXED].entries())
      if (only === undefined || only === round.name) yield { round, seed: seed + index * 1_000 };
    return;
  }
  const end = performance.now() + minutes * 60_000;
  for (let count = 0; performance.now() < end; count += 1) {
    const round = [...ROUNDS, MIXED].find(({ name }) => name === only) ?? SOAK;
    const seconds = Math.min(SOAK_SECONDS, Math.ceil((end - performance.now()) / 1_000));
    yield { round: { ...round, seconds }, seed: seed + count * 1_000 };
  }
}

/** Whether the round can't run here, for want of its broker. */
async function isMissing({ broker }: Round): Promise<boolean> {
  if (broker === undefined) return false;
  const { title, resolve } = BROKERS[broker];
  return (await missingBroker(title, resolve)) !== undefined;
}

async function main(options: FaultOptions): Promise<void> {
  const stop = stopOnSignal();
  const mongod = await resolveMongod({ log: (line) => console.log(line) });
  const report = new Report();
  console.log(`seed ${options.seed}: repeat it with npm run test:faults -- --seed ${options.seed}`);
  for (const { round, seed } of rounds(options)) {
    if (stop.aborted) break;
    if (await isMissing(round)) continue;
    const folder = mkdtempSync(join(tmpdir(), 'service-outbox-faults-'));
    const notes: string[] = [];
    const note = (process: string, text: string): void => {
      notes.push(`${new Date().toISOString()} ${process}: ${text}`);
      if (options.verbose && process === 'fault') console.log(`  ${text}`);
    };
    const started = performance.now();
    const result = await runRound({ round, seed, mongod, folder, stop, note }).catch((error: unknown) => {
      rmSync(folder, { recursive: true, force: true });
      if (!stop.aborted) throw error;
    });
    if (result === undefined) break;
    report.add(result);
    const seconds = Math.round((performance.now() - started) / 1_000);
    console.log(
      `${round.name} (seed ${seed}): ${result.injections.length} faults, ${result.history.final.last} messages, ` +
        `${result.violations.length} violations, ${seconds} s`,
    );
    if (result.violations.length > 0 || options.keep) {
      const kept = join('reports', 'faults', `${round.name.replaceAll(' ', '-')}-${seed}`);
      writeFileSync(join(folder, 'notes.log'), notes.join('\n'));
      await keepEvidence(kept, folder, result, seed);
      for (const { rule, text } of result.violations.slice(0, 10)) console.log(`  ${rule}: ${text}`);
      console.log(`  what was found is kept in ${kept}`);
    }
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync('reports', { recursive: true });
  writeFileSync(join('reports', 'faults.json'), JSON.stringify(report.asTests(), undefined, 2));
  console.log(report.text());
  process.exitCode = report.violations > 0 ? 1 : stop.aborted ? 130 : 0;
}

await main(parseOptions(process.argv.slice(2)));
